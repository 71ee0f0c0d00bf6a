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

// Migrate migrates the source while it is written to. When the stream has been at work for
// long enough it stops the writers and cuts over beside the running migration, as an
// operator would, every row compared before it is decided. Show is called as
// [engine.Connection.Progress] is; nil means nobody looks.
func (d *Demo) Migrate(ctx context.Context, show func(status.Progress)) error {
	if show == nil {
		show = func(status.Progress) {}
	}
	return d.migrateLive(ctx, show)
}

// cutOver takes the migration over from the one at work and ends it.
func (d *Demo) cutOver(ctx context.Context, show func(status.Progress)) error {
	begun := time.Now()
	o := engine.CutoverOptions{Connection: d.options(show).Connection, Verify: engine.On}
	summary, err := engine.Cutover(ctx, o)
	if err != nil {
		return errors.Wrap(err, "cut over")
	}
	d.report.DrainSeconds = time.Since(begun).Seconds()
	d.report.ClosedSeconds = summary.Cutover.FencedSeconds
	d.report.Verified = summary.Cutover.Verified
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
	cutting := make(chan struct{}) // closed when the cutover begins
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
		_, err := engine.Migrate(ctx, d.options(watched.progress))
		select {
		case <-cutting: // it has let go, and ends with the cutover
			return err
		default:
			return errors.CombineErrors(err, errors.New("the migration ended while the source was written to"))
		}
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
		close(cutting)
		n := generator.Stats()
		r := &d.report
		r.Committed, r.Aborted, r.RowsWritten = n.Committed, n.Aborted, n.Rows
		r.Transactions, r.Changes, r.LagBytes = last.Transactions, last.Changes, last.LagBytes
		return d.cutOver(ctx, show)
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
