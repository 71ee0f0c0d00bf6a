package target

import (
	"context"
	"slices"
	"sync"

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
	Jobs    int
	// Done is called after each entry, by one goroutine at a time; nil means nobody asks.
	Done func(done, total int, e Entry)
}

// Run runs the pending entries of a stage, each in a transaction with its
// recorded state, so that none is run twice and a killed run goes on where it
// was. Entries run in order, Jobs at a time when Jobs is more than one and as
// far as their dependencies allow.
func (r *Restorer) Run(ctx context.Context, stage schema.Stage) error {
	conn, err := r.Connect(ctx)
	if err != nil {
		return err
	}
	entries, err := PendingEntries(ctx, conn, r.Migration, stage)
	if err := errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx))); err != nil {
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
		if err := r.run(ctx, conn, e); err != nil {
			return err
		}
		failpoint.Hit("schema " + string(e.Stage) + ": committed")
		q.finish(e, r.Done)
	}
}

func (r *Restorer) run(ctx context.Context, conn *pgx.Conn, e Entry) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		entry := e.Entry
		entry.SQL = schema.Unvalidated(entry)
		warning, err := schema.Apply(ctx, tx, entry)
		if err != nil {
			return err
		}
		state := EntryDone
		if warning != "" {
			state = EntryWarning
		}
		_, err = tx.Exec(ctx, `UPDATE walferry.entry SET state = $3, message = $4 WHERE migration = $1 AND ord = $2`,
			r.Migration, e.Ord, state, warning)
		failpoint.Hit("schema " + string(e.Stage) + ": before commit")
		return errors.Wrapf(err, "record %s %s on the target", e.Kind, e.Name)
	})
}

// entryQueue hands out entries whose dependencies within the stage are done.
type entryQueue struct {
	mu      sync.Mutex
	changed *sync.Cond
	waiting []Entry
	open    map[int32]bool // ids that are not done
	done    int
	total   int
	closed  bool
}

func newEntryQueue(entries []Entry) *entryQueue {
	q := &entryQueue{waiting: entries, open: make(map[int32]bool, len(entries)), total: len(entries)}
	q.changed = sync.NewCond(&q.mu)
	for i := range entries {
		e := &entries[i]
		// Only what the dump lists earlier is waited for: where it lists a
		// dependency later, pg_dump broke a loop.
		e.Dependencies = slices.DeleteFunc(slices.Clone(e.Dependencies), func(id int32) bool { return !q.open[id] })
		if e.ID != 0 {
			q.open[e.ID] = true
		}
	}
	return q
}

// next waits for an entry that may run; false when there will be none.
func (q *entryQueue) next() (Entry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && len(q.waiting) > 0 {
		i := slices.IndexFunc(q.waiting, func(e Entry) bool {
			return !slices.ContainsFunc(e.Dependencies, func(id int32) bool { return q.open[id] })
		})
		if i >= 0 {
			e := q.waiting[i]
			q.waiting = slices.Delete(q.waiting, i, i+1)
			return e, true
		}
		q.changed.Wait()
	}
	return Entry{}, false
}

func (q *entryQueue) finish(e Entry, report func(done, total int, e Entry)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, e.ID)
	q.done++
	if report != nil {
		report(q.done, q.total, e)
	}
	q.changed.Broadcast()
}

func (q *entryQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
