package applier

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"
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

// run runs the lanes. The first error ends all of them; what each has committed is
// covered by its own checkpoint.
func (a *Applier) run(ctx context.Context) error {
	if err := a.options.validate(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for number := range a.options.Lanes {
		g.Go(func() error { return a.runLane(ctx, number) })
	}
	return g.Wait()
}

func (a *Applier) runLane(ctx context.Context, number int) error {
	l, err := openLane(ctx, number, &a.options, a.routes, a.few)
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
	var owing <-chan time.Time
	if a.options.Lanes > 1 {
		t := time.NewTicker(owedInterval)
		defer t.Stop()
		owing = t.C
	}
	for {
		select {
		case <-a.queue.lanes[l.number].wake:
			if done, err := a.step(ctx, l); err != nil || done {
				return err
			}
		case <-a.idle.urgent[l.number]:
			if err := a.rest(ctx, l, true); err != nil {
				return err
			}
		case <-owing:
			if l.reached.EndLSN <= l.last.EndLSN {
				continue
			}
			if err := a.rest(ctx, l, false); err != nil {
				return err
			}
		case <-tick.C:
			if err := a.rest(ctx, l, true); err != nil {
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

// step writes what waits. It reports true when nothing more comes and all is settled.
func (a *Applier) step(ctx context.Context, l *lane) (done bool, err error) {
	some, fresh, done := a.queue.next(l.number, &l.view, a.options.MaxBatchBytes)
	if !some {
		if done {
			err = a.settle(ctx, l)
		}
		return done, err
	}
	if fresh {
		l.done = 0
	}
	if err := a.write(ctx, l, &l.view); err != nil {
		return false, err
	}
	a.progress.advance(l)
	a.queue.lanes[l.number].again()
	return false, nil
}

// settle makes everything that is applied durable, at the same position in all lanes.
func (a *Applier) settle(ctx context.Context, l *lane) error {
	if l.open {
		// Of a transaction whose end does not come.
		if err := l.rollback(ctx); err != nil {
			return err
		}
	}
	c := l.reached
	c.EndLSN = max(l.last.EndLSN, l.reached.EndLSN)
	if a.options.Lanes > 1 {
		c.EndLSN = max(c.EndLSN, a.idle.end(l.reached.EndLSN))
	}
	if c.EndLSN == l.last.EndLSN && len(l.durability.waiting) == 0 {
		return nil
	}
	if err := l.commit(ctx, c, true); err != nil {
		return err
	}
	a.progress.advance(l)
	return nil
}
