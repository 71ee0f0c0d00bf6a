package demo

import (
	"context"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/workload"
)

// Migrate migrates the source while it is written to. When the stream has been
// at work for long enough it stops the writers, interrupts the migration as an
// operator would, and runs it again to drain and finish. Show is called as
// [engine.Connection.Progress] is; nil means nobody looks.
func (d *Demo) Migrate(ctx context.Context, show func(status.Progress)) error {
	if show == nil {
		show = func(status.Progress) {}
	}
	if err := d.migrateLive(ctx, show); err != nil {
		return err
	}
	stopped := time.Now()
	var noLag int64
	o := d.options(show)
	o.MaxReplicationLag, o.StopReplication = &noLag, true
	summary, err := engine.Migrate(ctx, o)
	if err != nil {
		return errors.Wrap(err, "finish the migration")
	}
	d.report.DrainSeconds = time.Since(stopped).Seconds()
	d.report.add(summary)
	return nil
}

// options are those of a user who gives two URIs and nothing else.
func (d *Demo) options(show func(status.Progress)) engine.MigrateOptions {
	return engine.MigrateOptions{
		Connection: engine.Connection{Source: d.source.info, Target: d.target.info, Logger: d.o.Logger, Progress: show},
		PGBin:      d.pgbin,
	}
}

// migrateLive runs the writers and the migration beside each other.
func (d *Demo) migrateLive(ctx context.Context, show func(status.Progress)) error {
	generator := workload.New(d.source.uri, workload.Options{
		Seed: d.o.Seed, Sessions: d.o.Writers, Pause: pause, Logger: d.o.Logger,
	})
	watched := &watch{show: show, wanted: d.o.Duration, enough: make(chan struct{})}
	stop := make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	writing, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	written := make(chan struct{})
	g.Go(func() error {
		defer close(written)
		_, err := generator.Run(writing)
		return errors.Wrap(err, "write to the source")
	})
	g.Go(func() error {
		o := d.options(watched.progress)
		o.Stop = stop
		if _, err := engine.Migrate(ctx, o); !errors.Is(err, engine.ErrStopped) {
			return errors.CombineErrors(err, errors.New("the migration ended while the source was written to"))
		}
		return nil
	})
	g.Go(func() error {
		select {
		case <-watched.enough:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		last := watched.last()
		stopWriting()
		<-written
		close(stop)
		n := generator.Stats()
		r := &d.report
		r.Committed, r.Aborted, r.RowsWritten = n.Committed, n.Aborted, n.Rows
		r.Transactions, r.Changes, r.LagBytes = last.Transactions, last.Changes, last.LagBytes
		return nil
	})
	return g.Wait()
}

// pause is what a writer rests between two transactions, so that two cores are
// enough for two servers, the writers and the migration.
const pause = 5 * time.Millisecond

// watch looks at the progress of a migration until it has streamed for long enough.
type watch struct {
	show   func(status.Progress)
	wanted time.Duration
	enough chan struct{} // closed then

	mu    sync.Mutex
	p     status.Progress
	since time.Time // when it began to stream
	over  bool
}

func (w *watch) progress(p status.Progress) {
	w.show(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.p = p
	if p.Phase != "streaming" || w.over {
		return
	}
	if w.since.IsZero() {
		w.since = time.Now()
	}
	if w.over = p.Transactions > 0 && time.Since(w.since) >= w.wanted; w.over {
		close(w.enough)
	}
}

func (w *watch) last() status.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.p
}
