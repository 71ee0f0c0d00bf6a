package applier

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
)

const (
	// mostTries bounds how often a batch is written before its error ends the run.
	mostTries = 8
	// firstPause is doubled with every try.
	firstPause = 50 * time.Millisecond
)

// write applies a batch, again after an error that others caused and that passes.
func (a *Applier) write(ctx context.Context, l *lane, b *batch) error {
	more := func() bool { return a.queue.waiting(l.number) }
	pause := firstPause
	for try := 1; ; try++ {
		err := l.apply(ctx, b, a.idle.end, more)
		// What an earlier batch wrote into the open transaction is no longer at hand.
		if err == nil || l.continued || !passes(err) || try == mostTries {
			return err
		}
		a.options.Logger.WarnContext(ctx, "a transaction is written again", "reason", sqlState(err), "attempt", try)
		if rollbackErr := l.rollback(ctx); rollbackErr != nil {
			return errors.CombineErrors(err, rollbackErr)
		}
		l.committed.Retries++
		a.progress.advance(l)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause *= 2
	}
}

// passes reports whether an error is about other sessions of the target.
func passes(err error) bool {
	switch sqlState(err) {
	case "40P01", "40001", "55P03": // deadlock, serialization failure, lock timeout
		return true
	default:
		return false
	}
}

// rollback undoes the open transaction, and what is remembered of it.
func (l *lane) rollback(ctx context.Context) error {
	if _, err := l.conn.Exec(ctx, "ROLLBACK"); err != nil {
		return errors.Wrap(err, "roll back on the target")
	}
	l.open, l.savepoint, l.before = false, false, l.before[:0]
	l.pending = Stats{}
	for _, m := range l.missing {
		m.Updates, m.Deletes = 0, 0
	}
	l.missing = l.missing[:0]
	l.staging.forget(l.stagesBefore)
	l.staging.transaction++
	return nil
}
