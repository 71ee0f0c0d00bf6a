package applier

import (
	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
)

// errMissing is the error of a change that found no row, where that is to stop the run.
var errMissing = errors.New("the row is not on the target")

// miss counts changes that found no row, or fails when the policy says so.
func (l *lane) miss(p *plan, op decoder.Op, n int64) error {
	if p.missed.Updates+p.missed.Deletes == 0 {
		l.missing = append(l.missing, p.missed)
	}
	if op == decoder.Update {
		p.missed.Updates += n
		l.pending.MissedUpdates += n
	} else {
		p.missed.Deletes += n
		l.pending.MissedDeletes += n
	}
	if l.options.OnMissingRow == MissingRowStop {
		return errors.WithHint(errMissing, "compare the table on both sides (walferry verify), "+
			"or let missing rows be counted (--on-missing-row count)")
	}
	return nil
}
