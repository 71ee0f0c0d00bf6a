package applier

import (
	"context"
	"sync"

	"github.com/walferry/walferry/decoder"
)

// idle is what the receiver last said about a source without transactions.
type idle struct {
	mu sync.Mutex
	// Nothing happened between after, the end of the last transaction that was
	// handed over, and upTo.
	after, upTo decoder.LSN
	// urgent wakes the lanes; else they look once per idleInterval.
	urgent []chan struct{}
}

func newIdle(lanes int) *idle {
	i := &idle{urgent: make([]chan struct{}, lanes)}
	for lane := range i.urgent {
		i.urgent[lane] = make(chan struct{}, 1)
	}
	return i
}

// Idle says that every transaction up to lsn was handed over. When all of them are
// applied, the checkpoints advance to lsn with no rows, at once if urgent, else at
// most once in a second. It does not wait, and says nothing inside of a transaction.
func (a *Applier) Idle(lsn decoder.LSN, urgent bool) error {
	if err := a.refusal(); err != nil {
		return err
	}
	if a.receiver.filling != nil || a.receiver.contained {
		return nil
	}
	i := a.idle
	i.mu.Lock()
	i.after, i.upTo = a.receiver.endLSN, max(i.upTo, lsn)
	i.mu.Unlock()
	if !urgent {
		return nil
	}
	for _, lane := range i.urgent {
		select {
		case lane <- struct{}{}:
		default:
		}
	}
	return nil
}

// end returns up to where nothing follows the transaction that ends at endLSN, as
// far as is known.
func (i *idle) end(endLSN decoder.LSN) decoder.LSN {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.after != endLSN {
		return endLSN
	}
	return max(i.upTo, endLSN)
}

// rest saves a checkpoint without rows when the source has moved on without any for
// this lane.
func (a *Applier) rest(ctx context.Context, l *lane, wait bool) error {
	end := a.idle.end(l.reached.EndLSN)
	if l.open || end <= l.last.EndLSN {
		return nil
	}
	c := l.reached
	c.EndLSN = end
	if err := l.commit(ctx, c, wait); err != nil {
		return err
	}
	a.progress.advance(l)
	return nil
}
