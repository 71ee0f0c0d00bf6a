package retry_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/errors"
	"go.uber.org/goleak"

	"github.com/walferry/walferry/internal/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDo_TriesUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		calls := 0
		err := retry.Do(t.Context(), retry.Policy{}, slog.New(slog.NewTextHandler(&log, nil)), func(context.Context, func()) error {
			if calls++; calls < 4 {
				return state("57P03")
			}
			return nil
		})
		if err != nil || calls != 4 {
			t.Errorf("%d calls, %v", calls, err)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 3 || !strings.Contains(log.String(), "attempt=3") {
			t.Errorf("log: %s", log.String())
		}
	})
}

func TestDo_ReturnsWhatRetryingCannotHeal(t *testing.T) {
	t.Parallel()
	calls := 0
	err := retry.Do(t.Context(), retry.Policy{}, nil, func(context.Context, func()) error {
		calls++
		return state("23505")
	})
	if calls != 1 || err == nil {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestDo_GivesUpWhenPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		var last time.Time
		err := retry.Do(t.Context(), retry.Policy{For: time.Minute}, nil, func(context.Context, func()) error {
			calls++
			if wait := time.Since(last); calls > 1 && wait > 10*time.Second {
				t.Errorf("waited %s", wait)
			}
			last = time.Now()
			return state("08006")
		})
		if passed := time.Since(start); passed < time.Minute || passed > 70*time.Second {
			t.Errorf("gave up after %s", passed)
		}
		if err == nil || !strings.Contains(err.Error(), "gave up after 1m") || retry.Retryable(err) != true {
			t.Errorf("after %d calls: %v", calls, err)
		}
	})
}

func TestDo_ProgressRenewsPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		err := retry.Do(t.Context(), retry.Policy{For: time.Minute}, nil, func(_ context.Context, progress func()) error {
			if calls++; calls == 200 {
				return nil
			}
			progress()
			return state("57P01")
		})
		if err != nil || calls != 200 {
			t.Errorf("%d calls, %v", calls, err)
		}
		if passed := time.Since(start); passed > 200*100*time.Millisecond {
			t.Errorf("the delay grew in spite of progress: %s", passed)
		}
	})
}

func TestDo_WithoutPatienceTriesOnce(t *testing.T) {
	t.Parallel()
	calls := 0
	err := retry.Do(t.Context(), retry.Policy{For: -1}, nil, func(context.Context, func()) error {
		calls++
		return state("57P01")
	})
	if calls != 1 || strings.Contains(err.Error(), "gave up") {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestDo_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("told to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(30*time.Second, func() { cancel(cause) })
		err := retry.Do(ctx, retry.Policy{}, nil, func(context.Context, func()) error { return state("57P01") })
		if !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	})
}
