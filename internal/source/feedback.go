package source

import (
	"context"
	"encoding/binary"
	"net"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/errors"
)

// moveReport is how often moved positions are noticed.
const moveReport = 100 * time.Millisecond

// feedback reports positions to the server. Only one goroutine at a time may
// call report: the one in run, and the stream's own after run has returned.
type feedback struct {
	conn      net.Conn
	positions *Positions
	// interval is the longest time between two reports.
	interval time.Duration
	// peerTimeout is how long the server may be silent; halfway it is asked to answer.
	peerTimeout time.Duration
	// wake has room for one request to report at once.
	wake chan struct{}
	// heard is when the server was last heard, in nanoseconds since 1970.
	heard atomic.Int64

	sentAt               time.Time
	sentFlush, sentApply LSN
	askedFor             int64
	message              [headerBytes + 34]byte
}

// now asks for a report at once, without waiting for it.
func (f *feedback) now() {
	select {
	case f.wake <- struct{}{}:
	default: // one is on its way and will carry the newest positions
	}
}

// run reports until ctx is done or the connection fails. The stream notices the
// failure itself, with the server's last words if there are any.
func (f *feedback) run(ctx context.Context) error {
	tick := time.NewTicker(min(moveReport, f.interval))
	defer tick.Stop()
	for due := true; ; {
		if due {
			if err := f.report(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
			due = true
		case <-tick.C:
			due = f.moved() || time.Since(f.sentAt) >= f.interval || f.silent()
		}
	}
}

// moved reports that the source has not yet been told the newest positions.
func (f *feedback) moved() bool {
	return f.positions.Flushed() != f.sentFlush || max(f.positions.Applied(), f.sentFlush) != f.sentApply
}

// silent reports that the server was not heard for half of its time and was not
// yet asked why.
func (f *feedback) silent() bool {
	heard := f.heard.Load()
	return heard != f.askedFor && time.Since(time.Unix(0, heard)) > f.peerTimeout/2
}

// report sends one status update.
func (f *feedback) report() error {
	var ask byte
	if f.silent() {
		ask, f.askedFor = 1, f.heard.Load()
	}
	flush := f.positions.Flushed()
	apply := max(f.positions.Applied(), flush)
	write := max(f.positions.Received(), apply)
	now := time.Now()

	b := append(f.message[:0], 'd')
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.message)-1))
	b = append(b, 'r')
	b = binary.BigEndian.AppendUint64(b, uint64(write))
	b = binary.BigEndian.AppendUint64(b, uint64(flush))
	b = binary.BigEndian.AppendUint64(b, uint64(apply))
	b = binary.BigEndian.AppendUint64(b, uint64(now.UnixMicro()-epoch))
	b = append(b, ask)
	f.sentAt, f.sentFlush, f.sentApply = now, flush, apply
	return f.write(b)
}

// epoch is 2000-01-01 in microseconds since 1970.
const epoch = 946_684_800_000_000

func (f *feedback) write(b []byte) error {
	if err := f.conn.SetWriteDeadline(time.Now().Add(f.peerTimeout)); err != nil {
		return errors.Wrap(err, "report positions to the source")
	}
	_, err := f.conn.Write(b)
	return errors.Wrap(err, "report positions to the source")
}
