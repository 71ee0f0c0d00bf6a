package applier

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
)

// Run applies until the input is closed and everything complete is on the target,
// or until an error or the end of ctx. It may be called once. What was written of a
// transaction that is not complete is rolled back. No goroutine is left when it
// returns.
func (a *Applier) Run(ctx context.Context) error {
	err := a.run(ctx)
	a.end(err)
	return err
}

func (a *Applier) run(ctx context.Context) error {
	if err := a.options.validate(); err != nil {
		return err
	}
	l, err := openLane(ctx, &a.options, a.few)
	if err != nil {
		return err
	}
	if err := a.loop(ctx, l); err != nil {
		if ctx.Err() != nil {
			err = errors.CombineErrors(context.Cause(ctx), err)
		}
		return errors.CombineErrors(err, l.close(ctx))
	}
	return l.close(ctx)
}

// idleInterval is the time between two checkpoints without rows that nothing urgent asks for.
const idleInterval = time.Second

func (a *Applier) loop(ctx context.Context, l *lane) error {
	// A tick while nothing was said costs nothing worth saving.
	tick := time.NewTicker(idleInterval)
	defer tick.Stop()
	for {
		select {
		case b, more := <-a.ready:
			if !more {
				return a.settle(ctx, l)
			}
			if err := a.write(ctx, l, b); err != nil {
				return err
			}
			a.progress.advance(l)
			b.empty(a.options.MaxBatchBytes)
			a.free <- b
		case <-a.idle.urgent:
			if err := a.rest(ctx, l); err != nil {
				return err
			}
		case <-tick.C:
			if err := a.rest(ctx, l); err != nil {
				return err
			}
			if err := l.durability.poll(ctx, l.conn); err != nil {
				return err
			}
			a.progress.advance(l)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// waiting reports whether a batch waits to be written.
func (a *Applier) waiting() bool { return len(a.ready) > 0 }

// settle makes everything that is applied durable.
func (a *Applier) settle(ctx context.Context, l *lane) error {
	if len(l.durability.waiting) == 0 || l.open {
		return nil
	}
	if err := l.commit(ctx, l.last, true); err != nil {
		return err
	}
	a.progress.advance(l)
	return nil
}
