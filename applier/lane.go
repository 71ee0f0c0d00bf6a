package applier

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/failpoint"
)

// lane is one target connection and what is under way on it. One goroutine uses it.
type lane struct {
	options *Options
	number  int
	routes  *routes
	conn    *pgx.Conn
	plans   map[uint32]*plan // of the newest definition of each table, by its OID
	missed  map[string]*Missed
	missing []*Missed // those that the open transaction has counted in
	// rowByRow is only appended to, or replaced: others read what they were given of it.
	rowByRow []RowByRow
	listed   map[string]bool // by the names of the tables that are in rowByRow
	// current are the plans of the batch in hand, parallel to its relations.
	current  []*plan
	prepared prepared
	segment  segment
	fold     fold
	set      changeset
	staging  staging
	order    []int32
	// copyBuffer is reused by every COPY.
	copyBuffer []byte
	// few changes of a table are written one by one.
	few int
	// shared reports that several relations of the batch go to one table.
	shared bool

	durability durability

	// before are control statements that go along with the next statement.
	before []string
	// savepoint reports that one is open.
	savepoint bool
	// stagesBefore is staging.names of before the transaction.
	stagesBefore int
	// open reports that a target transaction is open, continued that it holds changes
	// of an earlier batch, done how many transactions of the batch are committed.
	open, continued bool
	done            int
	// pending counts what the open transaction holds, committed what Applier.progress
	// does not know yet, owed what had nothing for this lane and awaits a checkpoint.
	pending, committed, owed Stats
	// view is what the lane reads of a batch.
	view batch
	// reached is the last transaction that was dealt with whole.
	reached Checkpoint
	// last is the last checkpoint, savedAt when it was saved.
	last    Checkpoint
	savedAt time.Time
}

// tuning keeps the planner at the index. Tables here grow from nothing without
// statistics, and a plan is kept for long: it must not be a scan of the whole table
// because the table was small. Without a fitting index a scan is taken all the same.
const tuning = `SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
	SET enable_material = off; SET jit = off`

func openLane(ctx context.Context, number int, options *Options, routes *routes, few int) (*lane, error) {
	conn, err := options.Connect(ctx)
	if err != nil {
		return nil, errors.Wrap(err, "connect to the target")
	}
	l := &lane{
		options: options, number: number, routes: routes, conn: conn, few: few,
		plans: map[uint32]*plan{}, missed: map[string]*Missed{}, listed: map[string]bool{},
		last: Checkpoint{EndLSN: options.start(number)},
	}
	if _, err := conn.Exec(ctx, tuning); err != nil {
		return nil, errors.CombineErrors(errors.Wrap(err, "prepare the session on the target"), l.close(ctx))
	}
	// Enough for what a batch stages. A session that has used temporary tables keeps what it has.
	if _, err := conn.Exec(ctx, `SET temp_buffers = '32MB'`); err != nil && sqlState(err) == "" {
		return nil, errors.CombineErrors(errors.Wrap(err, "prepare the session on the target"), l.close(ctx))
	}
	const temporary = `SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP')`
	if err := conn.QueryRow(ctx, temporary).Scan(&l.staging.allowed); err != nil {
		return nil, errors.CombineErrors(errors.Wrap(err, "read the rights on the target"), l.close(ctx))
	}
	if err := l.durability.open(ctx, conn); err != nil {
		return nil, errors.CombineErrors(err, l.close(ctx))
	}
	l.durability.durable = options.start(number)
	return l, nil
}

// goodbye is how long the end of a connection may take.
const goodbye = 5 * time.Second

// close rolls back what is open and closes the connection, also when the context
// of the run has ended.
func (l *lane) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	return errors.Wrap(l.conn.Close(ctx), "close the connection to the target")
}

// apply writes a batch. Transactions that are complete are committed with a
// checkpoint; of one that is not, the target transaction stays open. idleLSN
// returns up to where nothing follows a transaction; more reports that another batch
// waits, so that nobody need wait for this one to be durable.
func (l *lane) apply(ctx context.Context, b *batch, idleLSN func(endLSN decoder.LSN) decoder.LSN, more func() bool) error {
	if err := l.planBatch(ctx, b); err != nil {
		return err
	}
	l.continued = l.open
	complete := len(b.transactions)
	if b.open() {
		complete--
	}
	if complete > l.done {
		if err := l.write(ctx, b, l.done, complete); err != nil {
			return err
		}
		if err := l.finish(ctx, &b.transactions[complete-1], l.uncontained(b.transactions[l.done:complete]), idleLSN, more); err != nil {
			return err
		}
		l.done, l.continued = complete, false
	}
	if complete < len(b.transactions) {
		return l.write(ctx, b, complete, len(b.transactions))
	}
	return nil
}

// uncontained is how many of the transactions were not on the target at the start.
func (l *lane) uncontained(transactions []transaction) (n int64) {
	start := l.options.start(l.number)
	for i := range transactions {
		if transactions[i].commitLSN >= start {
			n++
		}
	}
	return n
}

// owedInterval is the time between two checkpoints of a lane that has nothing to
// write while others have.
const owedInterval = 200 * time.Millisecond

// finish commits what was written of n transactions up to last. When that is nothing
// for this lane, it does so now and then.
func (l *lane) finish(ctx context.Context, last *transaction, n int64, idleLSN func(decoder.LSN) decoder.LSN, more func() bool) error {
	reached := Checkpoint{EndLSN: last.endLSN, CommitLSN: last.commitLSN, CommitTime: last.commitTime}
	if l.number == 0 {
		l.pending.Transactions += n
	}
	spare := l.options.Lanes > 1 && !l.open
	if spare && (reached.EndLSN <= l.last.EndLSN || time.Since(l.savedAt) < owedInterval) {
		l.owed.add(&l.pending)
		l.pending, l.reached = Stats{}, reached
		return nil
	}
	c := reached
	c.EndLSN = max(last.endLSN, idleLSN(last.endLSN))
	if err := l.commit(ctx, c, !spare && !more()); err != nil {
		return err
	}
	l.reached = reached
	return nil
}

// planBatch finds the plans of the batch's relations. Tables of which nothing is
// applied need not exist on the target.
func (l *lane) planBatch(ctx context.Context, b *batch) error {
	clear(l.current)
	l.current = l.current[:0]
	if len(b.transactions) == 0 {
		return nil
	}
	newest := b.transactions[len(b.transactions)-1].commitLSN
	for _, r := range b.relations {
		p, err := l.plan(ctx, r, newest)
		if err != nil {
			return err
		}
		l.current = append(l.current, p)
	}
	l.shared = l.sharesTable()
	return nil
}

// sharesTable reports whether several relations of the batch go to one table, as
// they do when its definition changes within the batch.
func (l *lane) sharesTable() bool {
	if len(l.current) < 2 {
		return false
	}
	seen := make(map[uint32]bool, len(l.current))
	for _, p := range l.current {
		if p.table != nil && seen[p.table.oid] {
			return true
		}
		if p.table != nil {
			seen[p.table.oid] = true
		}
	}
	return false
}

// plan returns the plan of a relation, bound to its target table if it is applied
// to transactions that commit at newest.
func (l *lane) plan(ctx context.Context, r *decoder.Relation, newest decoder.LSN) (*plan, error) {
	p := l.plans[r.OID]
	if p == nil || p.relation != r {
		route, err := l.route(ctx, r)
		if err != nil {
			return nil, err
		}
		p = newPlan(r, route)
		l.keep(p)
	}
	if p.table == nil && !p.skips(newest) {
		if err := p.bind(ctx, l.conn); err != nil {
			return nil, err
		}
		l.name(ctx, p)
	}
	return p, nil
}

// name makes it known when a table is applied row by row.
func (l *lane) name(ctx context.Context, p *plan) {
	name := p.relationName()
	if l.listed[name] {
		l.rowByRow = slices.DeleteFunc(slices.Clone(l.rowByRow), func(r RowByRow) bool {
			return r.Namespace == p.relation.Namespace && r.Name == p.relation.Name
		})
		delete(l.listed, name)
	}
	if p.mode != setwise {
		l.options.Logger.InfoContext(ctx, "table is applied row by row", "table", name, "reason", p.reason)
		l.rowByRow = append(l.rowByRow, RowByRow{Namespace: p.relation.Namespace, Name: p.relation.Name, Reason: p.reason})
		l.listed[name] = true
	}
}

// keep keeps a plan in place of those of the table's former definitions.
func (l *lane) keep(p *plan) {
	l.plans[p.relation.OID] = p
	name := p.relationName()
	if l.missed[name] == nil {
		l.missed[name] = &Missed{Namespace: p.relation.Namespace, Name: p.relation.Name}
	}
	p.missed = l.missed[name]
}

// commit saves the checkpoint and commits the open transaction. If wait is false, it
// need not be durable yet.
func (l *lane) commit(ctx context.Context, c Checkpoint, wait bool) error {
	c.Lane, c.Transactions, c.Changes = l.number, l.pending.Transactions+l.owed.Transactions, l.pending.changes()
	for _, m := range l.missing {
		if m.Updates+m.Deletes > 0 {
			c.Missed = append(c.Missed, *m)
			m.Updates, m.Deletes = 0, 0
		}
	}
	l.missing = l.missing[:0]
	// Checkpoint and COMMIT are one round trip; so is all of a transaction without rows.
	batch := &pgx.Batch{}
	if l.open {
		if err := l.exec(ctx, ""); err != nil {
			return errors.Wrap(err, "end a part of the transaction on the target")
		}
	} else {
		l.begin()
		for _, sql := range l.before {
			batch.Queue(sql)
		}
		l.before = l.before[:0]
	}
	failpoint.Hit("apply: before the checkpoint")
	l.options.Checkpoint.Save(batch, c)
	l.durability.commit(batch, c.EndLSN, wait)
	if err := l.conn.SendBatch(ctx, batch).Close(); err != nil {
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) {
			err = withoutValues(err, pgErr)
		}
		return errors.Wrapf(err, "commit on the target what the source committed up to %s, with the checkpoint at %s", errors.Safe(c.CommitLSN), errors.Safe(c.EndLSN))
	}
	failpoint.Hit("apply: committed")
	l.open, l.savepoint = false, false
	if l.pending.Transactions > 0 || l.pending.changes() > 0 {
		l.pending.Commits = 1
	}
	l.committed.add(&l.owed)
	l.committed.add(&l.pending)
	l.pending, l.owed = Stats{}, Stats{}
	l.staging.transaction++
	c.Missed = nil
	l.last, l.savedAt = c, time.Now()
	return nil
}

// begin opens the target transaction, with the next statement, unless it is open.
func (l *lane) begin() {
	if !l.open {
		// What a deferrable constraint forbids may stand in between, as it did on the source.
		l.before = append(l.before, "BEGIN", "SET CONSTRAINTS ALL DEFERRED")
		l.open = true
		l.stagesBefore = l.staging.names
	}
}

// exec runs what is to come before, and sql.
func (l *lane) exec(ctx context.Context, sql string) error {
	sql = l.withControl(sql)
	if sql == "" {
		return nil
	}
	_, err := l.conn.Exec(ctx, sql)
	return err
}

// withControl puts the control statements before sql.
func (l *lane) withControl(sql string) string {
	if len(l.before) == 0 {
		return sql
	}
	sql = strings.Join(l.before, "; ") + "; " + sql
	l.before = l.before[:0]
	return sql
}
