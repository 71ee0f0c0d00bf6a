package snapshot

import (
	"context"
	"sync/atomic"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"
)

// Run copies the tables and returns when all are committed and recorded, or at
// the first error; that a table has moved (see [ErrMoved]) does not keep it from copying the others. The tables that were committed before an error stay; of a large one,
// which is copied in chunks, those of its chunks; the others are as they were. A target
// that is lost is waited for: what was committed is not copied again. No goroutine and no
// connection is left when Run returns; after an error the statements of both
// servers are cancelled.
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
	first, err := newWorker(ctx, &o)
	if err != nil {
		return err
	}
	jobs, err := plan(ctx, first.source, &o, tables)
	if err != nil {
		first.close(ctx)
		return err
	}
	for _, j := range jobs {
		j.report(&o, Planned)
	}
	queue := queueOf(jobs)
	workers := min(o.Jobs, len(queue))
	var importing atomic.Int64
	importing.Store(int64(workers))
	group, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		group.Go(func() error {
			w := first
			if i > 0 {
				var err error
				if w, err = newWorker(ctx, &o); err != nil {
					return err
				}
			}
			defer w.close(ctx)
			if importing.Add(-1) == 0 {
				o.Imported()
			}
			return w.run(ctx, queue)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, j := range jobs {
		if err := j.left(); err != nil {
			return err
		}
	}
	return nil
}

// run copies parts until there are no more.
func (w *worker) run(ctx context.Context, queue <-chan *part) error {
	for p := range queue {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if p.left() != nil {
			continue
		}
		err := w.patiently(ctx, p)
		if err == nil {
			continue
		}
		err = errors.Wrapf(err, "copy table %s", p.table)
		if p.number > 0 {
			err = errors.WithDetailf(err, "in chunk %d of %d", p.number, len(p.chunks))
		}
		if errors.Is(err, ErrMoved) {
			p.leave(err)
			err = w.leave(ctx)
		}
		if err != nil {
			w.failed = true
			return err
		}
	}
	return nil
}
