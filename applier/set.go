package applier

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/failpoint"
)

// writeSet writes the net effect of one table's changes: deletes, updates, inserts.
// When the target objects, as it does when a unique value moves between rows, all of
// it is undone and the changes are applied one by one in source order. That is
// valid whenever it was valid on the source, and else names the change that is not.
func (l *lane) writeSet(ctx context.Context, b *batch, p *plan, part []int32) error {
	forms, ok := b.columnForms(part, len(p.columns))
	if !ok || !l.netEffect(b, p, part) {
		return l.writeRows(ctx, b, part)
	}
	missed, pending, stages := *p.missed, l.pending, l.staging.names
	l.begin()
	if l.savepoint {
		l.before = append(l.before, "RELEASE walferry")
	}
	l.before = append(l.before, "SAVEPOINT walferry")
	l.savepoint = true
	w := &setWriter{lane: l, batch: b, plan: p, forms: forms}
	err := w.write(ctx)
	if err == nil {
		failpoint.Hit("apply: a set is written")
		p.conflict.succeeded()
		return nil
	}
	p.conflict.failed()
	failpoint.Hit("apply: before a set is undone")
	if !replayable(err) {
		return errors.Wrapf(err, "apply %d changes to %s on the target", errors.Safe(len(part)), p.relationName())
	}
	l.options.Logger.DebugContext(ctx, "changes of a table are applied one by one", "table", p.relationName(), "reason", sqlState(err))
	l.before = append(l.before[:0], "ROLLBACK TO SAVEPOINT walferry")
	*p.missed, l.pending = missed, pending
	l.staging.forget(stages)
	return l.writeRows(ctx, b, part)
}

// netEffect puts the net effect of the changes into l.set.
func (l *lane) netEffect(b *batch, p *plan, part []int32) bool {
	onlyInserts := true
	for _, index := range part {
		if b.changes[index].op != decoder.Insert {
			onlyInserts = false
			break
		}
	}
	if !onlyInserts {
		return l.fold.run(b, p, part, &l.set)
	}
	l.set.empty()
	for _, index := range part {
		l.set.inserts = append(l.set.inserts, b.changes[index])
	}
	return true
}

// replayable reports whether an error is about the rows, not about the connection,
// the server or the transaction.
func replayable(err error) bool {
	if errors.Is(err, errMissing) {
		return true
	}
	code := sqlState(err)
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "22", "23", "42", "44", "P0":
		return true
	default:
		return false
	}
}

// sqlState is the SQLSTATE of a target's error, empty when it is another one.
func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

// setWriter writes one changeset.
type setWriter struct {
	lane  *lane
	batch *batch
	plan  *plan
	// forms are those of the columns.
	forms []decoder.ValueKind
}

func (w *setWriter) write(ctx context.Context) error {
	set := &w.lane.set
	if err := w.deletes(ctx, set.deletes); err != nil {
		return err
	}
	if err := w.updates(ctx, set.updates); err != nil {
		return err
	}
	return w.inserts(ctx, set.inserts)
}

func (w *setWriter) inserts(ctx context.Context, inserts []change) error {
	if len(inserts) < w.lane.few {
		return w.lane.writeNet(ctx, w.batch, inserts)
	}
	written := w.plan.written()
	names := make([]string, len(written))
	r := &copyReader{batch: w.batch, changes: inserts, columns: make([]param, len(written)), whole: len(written) == len(w.plan.columns)}
	texts := 0
	for n, i := range written {
		names[n] = w.plan.columns[i].quoted
		r.columns[n] = param{column: i}
		if w.forms[i] == decoder.Text {
			texts++
		}
	}
	columns := strings.Join(names, ", ")
	switch texts {
	case 0:
		r.binary = true
	case len(written):
	default:
		return w.insertStaged(ctx, r, columns)
	}
	_, err := w.lane.copyRows(ctx, w.plan.table.sql()+" ("+columns+")", r, "")
	return err
}

// insertStaged inserts rows of which some columns are text and some are binary.
func (w *setWriter) insertStaged(ctx context.Context, r *copyReader, columns string) error {
	g := w.stage("insert", r.columns)
	sql := "INSERT INTO " + w.plan.table.sql() + " (" + columns + ") OVERRIDING SYSTEM VALUE SELECT " +
		strings.Join(g.values, ", ") + " FROM " + g.name + " AS s"
	_, err := w.run(ctx, g, r.changes, sql)
	return err
}

func (w *setWriter) deletes(ctx context.Context, deletes []change) error {
	if len(deletes) < w.lane.few || !w.lane.staging.allowed {
		return w.lane.writeNet(ctx, w.batch, deletes)
	}
	w.sort(deletes, true)
	g := w.stage("delete", w.keyParams(true))
	tag, err := w.run(ctx, g, deletes, "DELETE FROM "+w.plan.table.only()+" AS t USING "+g.name+" AS s WHERE "+w.join(g.values))
	if err != nil {
		return err
	}
	return w.found(decoder.Delete, len(deletes), tag)
}

// updateGroup are updates that set the same columns.
type updateGroup struct {
	shape   *shape
	changes []change
}

func (w *setWriter) updates(ctx context.Context, updates []change) error {
	var groups []updateGroup
	last := 0
	for i := range updates {
		s := w.plan.shapeFor(w.batch, &updates[i])
		if s == nil {
			continue
		}
		if last >= len(groups) || groups[last].shape != s {
			last = slices.IndexFunc(groups, func(g updateGroup) bool { return g.shape == s })
			if last < 0 {
				last = len(groups)
				groups = append(groups, updateGroup{shape: s})
			}
		}
		groups[last].changes = append(groups[last].changes, updates[i])
	}
	var few []change
	for i := range groups {
		g := &groups[i]
		if len(g.changes) < w.lane.few || g.shape.moves || !w.lane.staging.allowed {
			few = append(few, g.changes...)
			continue
		}
		if err := w.updateStaged(ctx, g); err != nil {
			return err
		}
	}
	return w.lane.writeNet(ctx, w.batch, few)
}

func (w *setWriter) updateStaged(ctx context.Context, g *updateGroup) error {
	w.sort(g.changes, g.shape.old)
	params := w.keyParams(g.shape.old)
	keys := len(params)
	for _, i := range g.shape.set {
		params = append(params, param{column: i})
	}
	stage := w.stage("update", params)
	var sql strings.Builder
	sql.WriteString("UPDATE " + w.plan.table.only() + " AS t SET ")
	for n, i := range g.shape.set {
		if n > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString(w.plan.columns[i].quoted + " = " + stage.values[keys+n])
	}
	sql.WriteString(" FROM " + stage.name + " AS s WHERE " + w.join(stage.values))
	tag, err := w.run(ctx, stage, g.changes, sql.String())
	if err != nil {
		return err
	}
	return w.found(decoder.Update, len(g.changes), tag)
}

// found counts the rows that a statement did not find.
func (w *setWriter) found(op decoder.Op, wanted int, tag pgconn.CommandTag) error {
	if missing := int64(wanted) - tag.RowsAffected(); missing > 0 {
		return w.lane.miss(w.plan, op, missing)
	}
	return nil
}

// keyParams are the key's columns in the tuple that identifies the row.
func (w *setWriter) keyParams(old bool) []param {
	params := make([]param, 0, len(w.plan.key)+len(w.plan.columns))
	for _, i := range w.plan.key {
		params = append(params, param{old: old, column: i})
	}
	return params
}

// join is the condition that a row of the target is that of the staged key. values
// are the staged columns, the key's first.
func (w *setWriter) join(values []string) string {
	conditions := make([]string, len(w.plan.key))
	for n, i := range w.plan.key {
		c := &w.plan.columns[i]
		conditions[n] = "t." + c.quoted + " " + c.equal + " " + values[n]
	}
	return strings.Join(conditions, " AND ")
}

// stagedColumns are columns of changes in a temporary table.
type stagedColumns struct {
	name   string
	params []param
	// values are expressions, of the table as s, for the columns in the target's types.
	values []string
}

// stage chooses the temporary table for columns of changes.
func (w *setWriter) stage(purpose string, params []param) stagedColumns {
	g := stagedColumns{params: params, values: make([]string, len(params))}
	definitions := make([]string, len(params))
	for n, param := range params {
		name, typeName := "c"+strconv.Itoa(n), w.plan.columns[param.column].typeName
		definitions[n], g.values[n] = name+" "+typeName, "s."+name
		if w.forms[param.column] == decoder.Text {
			// What came as text is staged as text: its bytes need no conversion here.
			definitions[n], g.values[n] = name+" text", "s."+name+"::"+typeName
		}
	}
	g.name = w.lane.stage(purpose+" "+w.plan.table.sql(), definitions).name
	return g
}

// run copies the columns of the changes into their temporary table and runs sql, in
// one round trip.
func (w *setWriter) run(ctx context.Context, g stagedColumns, changes []change, sql string) (pgconn.CommandTag, error) {
	r := &copyReader{batch: w.batch, changes: changes, columns: g.params, binary: true}
	return w.lane.copyRows(ctx, g.name, r, sql)
}

// sort puts changes into the order of their keys' bytes, so that neighbouring rows
// are written together.
func (w *setWriter) sort(changes []change, old bool) {
	compare := func(a, b change) int {
		first, second := a.new, b.new
		if old {
			first, second = a.old, b.old
		}
		for _, i := range w.plan.key {
			x, y := w.batch.data(w.batch.value(first, i)), w.batch.data(w.batch.value(second, i))
			if order := compareKeys(x, y, w.plan.columns[i].sortsByLength(w.forms[i])); order != 0 {
				return order
			}
		}
		return 0
	}
	if !slices.IsSortedFunc(changes, compare) {
		slices.SortFunc(changes, compare)
	}
}
