package term

import (
	"fmt"
	"time"

	"github.com/walferry/walferry/internal/status"
)

// copying is the phase in which rows are copied.
const copying = "copying"

// share is how much of the phase's work is done, and of how much; of zero or one where
// that cannot be told.
func share(p status.Progress) (done, total int64) {
	switch p.Phase {
	case copying:
		if p.BytesTotal > 0 {
			return min(p.BytesCopied, p.BytesTotal), p.BytesTotal
		}
		return int64(p.TablesDone), int64(p.TablesTotal)
	case "preparing", "indexing", "cutting_over":
		return int64(p.EntriesDone), int64(p.EntriesTotal)
	}
	return 0, 0
}

// describe says in a few words where the run is. Estimates are marked with ~.
func describe(p status.Progress, r *rate) string {
	switch p.Phase {
	case copying:
		return fmt.Sprintf("%d of %d tables, %s, %s", p.TablesDone, p.TablesTotal, sizes(p.BytesCopied, p.BytesTotal), pace(p, r))
	case "catching_up", "streaming":
		return fmt.Sprintf("lag %s, applied %s, %d transactions, %d changes, %d/s",
			Bytes(p.LagBytes), p.AppliedLSN, p.Transactions, p.Changes, r.changes())
	case "done":
		return "finished"
	}
	if p.EntriesTotal == 0 {
		return p.Item
	}
	return fmt.Sprintf("%d/%d %s", p.EntriesDone, p.EntriesTotal, p.Item)
}

// pace is what there is to say of a copy beside its size.
func pace(p status.Progress, r *rate) string {
	text := fmt.Sprintf("%d rows", p.RowsCopied)
	if speed, measured := r.measured(func(s sample) int64 { return s.bytes }); measured {
		text += ", " + Bytes(int64(speed)) + "/s"
	}
	if left, known := remaining(p, r); known {
		text += ", " + about(left) + " left"
	}
	return text
}

// Bytes writes a size the way people read it.
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	size, prefix := float64(n)/unit, 0
	for size >= unit && prefix < 4 {
		size /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTP"[prefix])
}

// rate measures speed over the last seconds.
type rate struct {
	samples []sample
}

type sample struct {
	at             time.Time
	bytes, changes int64
}

const rateWindow = 10 * time.Second

func (r *rate) add(at time.Time, bytes, changes int64) {
	if n := len(r.samples); n > 0 {
		last := r.samples[n-1]
		if bytes < last.bytes || changes < last.changes {
			r.samples = r.samples[:0] // another phase
		} else if at.Sub(last.at) < 200*time.Millisecond {
			return
		}
	}
	r.samples = append(r.samples, sample{at, bytes, changes})
	for len(r.samples) > 2 && at.Sub(r.samples[0].at) > rateWindow {
		r.samples = r.samples[1:]
	}
}

func (r *rate) changes() int64 {
	speed, _ := r.measured(func(s sample) int64 { return s.changes })
	return int64(speed)
}

// leastMeasured is how long a speed is watched before it is one.
const leastMeasured = time.Second

// measured is how fast a value grows each second; false when that is not known yet.
func (r *rate) measured(value func(sample) int64) (speed float64, known bool) {
	if len(r.samples) < 2 {
		return 0, false
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	passed := last.at.Sub(first.at)
	if passed < leastMeasured {
		return 0, false
	}
	return float64(value(last)-value(first)) / passed.Seconds(), true
}
