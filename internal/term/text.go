package term

import (
	"fmt"
	"time"

	"github.com/walferry/walferry/internal/status"
)

// share is how much of the phase's work is done, and of how much.
func share(p status.Progress) (done, total int64) {
	switch {
	case (p.Phase == "copying" || p.Phase == "verifying") && p.BytesTotal > 0:
		return min(p.BytesCopied, p.BytesTotal), p.BytesTotal
	case p.Phase == "copying":
		return int64(p.TablesDone), int64(max(p.TablesTotal, 1))
	case p.Phase == "preparing", p.Phase == "indexing", p.Phase == "cutting_over":
		return int64(p.EntriesDone), int64(max(p.EntriesTotal, 1))
	case p.LagBytes == 0:
		return 1, 1
	}
	return 0, 1
}

// describe says in a few words where the run is. Estimates are marked with ~.
func describe(p status.Progress, r *rate) string {
	switch p.Phase {
	case "copying":
		return fmt.Sprintf("tables %d/%d, %s of ~%s, %s/s %s",
			p.TablesDone, p.TablesTotal, Bytes(p.BytesCopied), Bytes(p.BytesTotal), Bytes(r.bytes()), p.Item)
	case "catching_up", "streaming":
		return fmt.Sprintf("lag %s, applied %s, %d transactions, %d changes, %d/s",
			Bytes(p.LagBytes), p.AppliedLSN, p.Transactions, p.Changes, r.changes())
	case "verifying":
		return fmt.Sprintf("tables %d/%d at %s, %s of ~%s, %s/s",
			p.TablesDone, p.TablesTotal, p.AppliedLSN, Bytes(p.BytesCopied), Bytes(p.BytesTotal), Bytes(r.bytes()))
	case "done":
		return "finished"
	}
	if p.EntriesTotal == 0 {
		return p.Item
	}
	return fmt.Sprintf("%d/%d %s", p.EntriesDone, p.EntriesTotal, p.Item)
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

func (r *rate) bytes() int64   { return r.of(func(s sample) int64 { return s.bytes }) }
func (r *rate) changes() int64 { return r.of(func(s sample) int64 { return s.changes }) }

func (r *rate) of(value func(sample) int64) int64 {
	if len(r.samples) < 2 {
		return 0
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	seconds := last.at.Sub(first.at).Seconds()
	return int64(float64(value(last)-value(first)) / max(seconds, 0.001))
}
