package target

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/schema"
)

// Restorer runs the recorded schema entries of one migration.
type Restorer struct {
	Migration string
	// Connect opens a target connection with the session settings of schema.Prepare.
	Connect func(ctx context.Context) (*pgx.Conn, error)
	// Jobs is how many entries of the stage Index run at a time.
	Jobs int
	// Done is called after each entry, or the last of a group, by one goroutine at a time; nil means nobody asks.
	Done func(done, total int, e Entry)
}

// Run runs the pending entries of a stage, in transactions with their recorded
// state, so that none is run twice and a killed run goes on where it was. Those of the
// stage Index, which may take long, run Jobs at a time, each in a transaction of its own, as far
// as their dependencies allow; the others in groups, in order.
func (r *Restorer) Run(ctx context.Context, stage schema.Stage) error {
	conn, err := r.Connect(ctx)
	if err != nil {
		return err
	}
	entries, err := PendingEntries(ctx, conn, r.Migration, stage)
	if err == nil && stage != schema.Index {
		err = r.inOrder(ctx, conn, entries)
	}
	if err := errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx))); err != nil || stage != schema.Index {
		return err
	}
	q := newEntryQueue(entries)
	g, working := errgroup.WithContext(ctx)
	stop := context.AfterFunc(working, q.close)
	defer stop()
	for range min(max(r.Jobs, 1), len(entries)) {
		g.Go(func() error { return r.work(working, q) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

func (r *Restorer) work(ctx context.Context, q *entryQueue) (err error) {
	conn, err := r.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx))) }()
	for {
		e, ok := q.next()
		if !ok {
			return nil
		}
		if _, err := r.one(ctx, conn, e); err != nil {
			return err
		}
		q.finish(e, r.Done)
	}
}

// inOrder runs entries in groups, and those of a group that fails one by one.
func (r *Restorer) inOrder(ctx context.Context, conn *pgx.Conn, entries []Entry) error {
	total := len(entries)
	size := maxGroup
	for len(entries) > 0 {
		group := entries[:groupLen(entries, size)]
		entries = entries[len(group):]
		refused, err := r.group(ctx, conn, group)
		if err != nil {
			return err
		}
		size = min(2*size, maxGroup)
		if refused { // where much is, little is tried together
			size = max(len(group)/4, 1)
		}
		if r.Done != nil {
			done := total - len(entries)
			r.Done(done, total, group[len(group)-1])
		}
	}
	return nil
}

// one runs an entry in a transaction of its own, and reports whether it left a warning.
func (r *Restorer) one(ctx context.Context, conn *pgx.Conn, e Entry) (warned bool, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		entry := e.Entry
		entry.SQL = schema.Unvalidated(entry)
		warning, err := schema.Apply(ctx, tx, entry)
		if err != nil {
			return err
		}
		state := EntryDone
		if warned = warning != ""; warned {
			state = EntryWarning
		}
		_, err = tx.Exec(ctx, `UPDATE walferry.entry SET state = $3, message = $4 WHERE migration = $1 AND ord = $2`,
			r.Migration, e.Ord, state, warning)
		failpoint.Hit("schema " + string(e.Stage) + ": before commit")
		return errors.Wrapf(err, "record %s %s on the target", e.Kind, e.Name)
	})
	if err == nil {
		failpoint.Hit("schema " + string(e.Stage) + ": committed")
	}
	return warned, err
}
