package applier

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/walferry/walferry/decoder"
)

// rowWriter writes changes one by one.
type rowWriter struct {
	lane     *lane
	batch    *batch
	pipeline *pipeline
	// changes are those of the batch, or net changes.
	changes []change
}

// control tags the statements that are no change.
const control = -1

// writeRows writes the changes that order indexes, in its order. In source order
// this is always valid.
func (l *lane) writeRows(ctx context.Context, b *batch, order []int32) error {
	err := l.rows(ctx, b, b.changes, order)
	var failed *statementError
	if errors.As(err, &failed) && failed.tag != control {
		return l.explain(failed.error, b, failed.tag)
	}
	return err
}

// writeNet writes net changes one by one.
func (l *lane) writeNet(ctx context.Context, b *batch, changes []change) error {
	order := l.order[:0]
	for i := range changes {
		order = append(order, int32(i))
	}
	l.order = order
	return l.rows(ctx, b, changes, order)
}

func (l *lane) rows(ctx context.Context, b *batch, changes []change, order []int32) error {
	if len(order) == 0 {
		return nil
	}
	l.begin()
	w := &rowWriter{lane: l, batch: b, changes: changes}
	w.pipeline = startPipeline(ctx, l.conn.PgConn(), &l.prepared, w.result)
	err := w.run(order)
	closeErr := w.pipeline.close()
	if err != nil {
		// The connection was in the middle of something: what closing it says is
		// a consequence.
		return err
	}
	return closeErr
}

func (w *rowWriter) run(order []int32) error {
	for _, sql := range w.lane.before {
		if err := w.pipeline.text(control, sql); err != nil {
			return err
		}
	}
	w.lane.before = w.lane.before[:0]
	for _, index := range order {
		if err := w.change(int(index)); err != nil {
			return err
		}
	}
	return w.pipeline.finish()
}

// change sends one change.
func (w *rowWriter) change(index int) error {
	c := &w.changes[index]
	s := w.lane.current[c.relation].shapeFor(w.batch, c)
	if s == nil {
		return nil
	}
	if s.statement == nil || !s.statement.prepared {
		s.statement = w.lane.prepared.statement(s.sql)
	}
	w.bind(c, s)
	return w.pipeline.execute(index, s.statement)
}

// bind fills in the parameters of a statement.
func (w *rowWriter) bind(c *change, s *shape) {
	values, formats := w.pipeline.values[:0], w.pipeline.formats[:0]
	for _, param := range s.params {
		first := c.new
		if param.old {
			first = c.old
		}
		v := w.batch.value(first, param.column)
		format := int16(pgtype.TextFormatCode)
		if v.kind == decoder.Binary {
			format = pgtype.BinaryFormatCode
		}
		values, formats = append(values, w.batch.data(v)), append(formats, format)
	}
	w.pipeline.values, w.pipeline.formats = values, formats
}

// check refuses changes that cannot be written without losing something.
func (p *plan) check(c *change) error {
	switch {
	case c.op == decoder.Insert && c.unchanged:
		err := errors.New("the row entered the publication's row filter by an UPDATE, and the stream does not carry its unchanged TOAST values")
		return errors.WithHint(err, "copy the table again; with ALTER TABLE … REPLICA IDENTITY FULL on the source, "+
			"or without the row filter, the stream carries these values")
	case c.op != decoder.Insert && p.identity == identityNone:
		err := errors.Newf("nothing identifies the row: the source publishes no replica identity of %s", p.relationName())
		return errors.WithHint(err, "set a replica identity on the source, or publish the table for inserts only, and copy it again")
	default:
		return nil
	}
}

// count counts a change.
func count(s *Stats, op decoder.Op) {
	switch op {
	case decoder.Insert:
		s.Inserts++
	case decoder.Update:
		s.Updates++
	case decoder.Delete:
		s.Deletes++
	case decoder.Truncate:
		s.Truncates++
	}
}

// result takes the number of rows that a change's statement affected.
func (w *rowWriter) result(index int, rows int64) error {
	if rows > 0 || index == control {
		return nil
	}
	c := &w.changes[index]
	if c.op != decoder.Update && c.op != decoder.Delete {
		return nil
	}
	if err := w.lane.miss(w.lane.current[c.relation], c.op, 1); err != nil {
		return &statementError{index, err}
	}
	return nil
}
