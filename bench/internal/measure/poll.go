package measure

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
)

const (
	// pollEvery bounds how much later than it happened something is seen.
	pollEvery = 10 * time.Millisecond
	// pollTimeout ends a run in which nothing gets on any more.
	pollTimeout = 30 * time.Minute
)

// Poll asks until the answer is yes.
func Poll(ctx context.Context, done func() (bool, error)) error {
	return PollAt(ctx, pollEvery, done)
}

// PollAt asks that often.
func PollAt(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pollTimeout, errors.Newf("not done within %s", pollTimeout))
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if yes, err := done(); yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
