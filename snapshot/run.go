package snapshot

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"
)

// Run copies the tables and returns when all are committed and recorded, or at
// the first error. The tables that were committed before an error stay; the
// others are as they were. No goroutine and no connection is left when Run
// returns; after an error the statements of both servers are cancelled.
func Run(ctx context.Context, options Options, tables []Table) error {
	o, err := options.withDefaults()
	if err != nil {
		return err
	}
	if len(tables) == 0 {
		o.Imported()
		return nil
	}
	if o.SnapshotName == "" {
		exporter, name, err := export(ctx, o.Source)
		if err != nil {
			return err
		}
		defer closeConn(ctx, exporter)
		o.SnapshotName = name
	}

	queue := queueOf(tables)
	jobs := min(o.Jobs, len(tables))
	var importing atomic.Int64
	importing.Store(int64(jobs))
	group, ctx := errgroup.WithContext(ctx)
	for range jobs {
		group.Go(func() error {
			w, err := newWorker(ctx, &o)
			if err != nil {
				return err
			}
			defer w.close(ctx)
			if importing.Add(-1) == 0 {
				o.Imported()
			}
			for t := range queue {
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				if err := w.copy(ctx, t); err != nil {
					return errors.Wrapf(err, "copy table %s", t)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// queueOf returns a closed channel that holds all tables, the largest first, so
// that no large one starts last and runs alone.
func queueOf(tables []Table) <-chan *Table {
	order := make([]*Table, len(tables))
	for i := range tables {
		order[i] = &tables[i]
	}
	slices.SortStableFunc(order, func(a, b *Table) int { return cmp.Compare(b.Bytes, a.Bytes) })
	queue := make(chan *Table, len(order))
	for _, t := range order {
		queue <- t
	}
	close(queue)
	return queue
}
