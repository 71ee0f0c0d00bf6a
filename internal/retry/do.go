package retry

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/errors"
)

// Policy says how patient to be. The zero value is the recommended setting.
type Policy struct {
	// For bounds the time from the first error after the last progress to the
	// last attempt. Negative: no second attempt. Default: 10 minutes.
	For time.Duration
	// First is the delay before the second attempt; it doubles each time.
	// Default: 100 ms.
	First time.Duration
	// Longest bounds the delay. Default: 10 s.
	Longest time.Duration
}

func (p Policy) withDefaults() Policy {
	if p.For == 0 {
		p.For = 10 * time.Minute
	}
	if p.First == 0 {
		p.First = 100 * time.Millisecond
	}
	if p.Longest == 0 {
		p.Longest = 10 * time.Second
	}
	return p
}

// delay is how long to wait before the attempt with that number, counted from 1
// for the first repetition: half of it fixed, half random.
func (p Policy) delay(attempt int) time.Duration {
	d := p.Longest
	if shift := attempt - 1; shift < 20 && p.First<<shift < p.Longest {
		d = p.First << shift
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // spreads load, hides nothing
}

// Do calls f until it returns nil or an error that is not retryable, patience
// ends, or ctx is done. F calls progress whenever it got on; the count of attempts
// and the patience then begin anew. Progress is cheap and safe for concurrent
// use. Each error that is retried is logged once, here; a nil logger discards.
func Do(ctx context.Context, policy Policy, logger *slog.Logger, f func(ctx context.Context, progress func()) error) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	policy = policy.withDefaults()
	var (
		progressed   atomic.Bool
		attempt      int
		firstFailure time.Time
	)
	for {
		err := f(ctx, func() { progressed.Store(true) })
		if err == nil || ctx.Err() != nil || !Retryable(err) {
			return err
		}
		if attempt == 0 || progressed.Swap(false) {
			attempt, firstFailure = 0, time.Now()
		}
		attempt++
		if passed := time.Since(firstFailure); passed >= policy.For {
			if attempt == 1 {
				return err
			}
			return errors.Wrapf(err, "gave up after %s and %d attempts", errors.Safe(passed.Round(time.Second)), errors.Safe(attempt))
		}
		delay := policy.delay(attempt)
		logger.WarnContext(ctx, "retrying after an error", slog.Int("attempt", attempt), slog.Duration("delay", delay), slog.Any("error", err))
		if !sleep(ctx, delay) {
			return errors.WithSecondaryError(context.Cause(ctx), err)
		}
	}
}

// sleep reports whether the time passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
