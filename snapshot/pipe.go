package snapshot

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeBytes is how much is read at once. It lies between the buffers of the two
// sockets; more than a few socket reads at once bought nothing when measured.
const pipeBytes = 256 << 10

// drainTimeout bounds how long a side is heard that may already be gone.
const drainTimeout = 2 * time.Second

// pipe connects a COPY TO STDOUT to a COPY FROM STDIN. A worker keeps one for all
// of its tables. It talks to the connections directly: pgconn's own CopyTo and
// CopyFrom hand over one row at a time.
type pipe struct {
	source, target *pgconn.PgConn
	buf            []byte
	// abandoned says that the target takes no more rows: what the source still sends
	// is read and forgotten, so that its transaction, and with it the snapshot, lives.
	abandoned atomic.Bool
}

// abandon asks the source to end its statement early.
func (p *pipe) abandon(ctx context.Context) {
	if p.abandoned.Swap(true) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := p.source.CancelRequest(ctx); err != nil {
		interrupt(p.source.Conn())
	}
}

// side names the end of the pipe that an error came from.
type side string

const (
	sourceSide side = "source"
	targetSide side = "target"
)

// run executes both statements and returns the number of rows that each side
// reports. moved is called with the number of bytes after every write. After an
// error the target connection is not usable; the source's is when the target failed
// and the source obeyed the request to cancel: its transaction has failed then, but
// lives.
func (p *pipe) run(ctx context.Context, from, to string, moved func(int64)) (read, written int64, err error) {
	for _, c := range []*pgconn.PgConn{p.source, p.target} {
		if err := c.SyncConn(ctx); err != nil {
			return 0, 0, err
		}
	}
	source, target := p.source.Conn(), p.target.Conn()
	stop := context.AfterFunc(ctx, func() {
		interrupt(source)
		interrupt(target)
	})
	defer func() {
		if !stop() {
			err = context.Cause(ctx)
		}
	}()

	var failure firstError
	p.abandoned.Store(false)
	in := wire{conn: target, buf: make([]byte, 4096)}
	if err := send(targetSide, target, to); err != nil {
		return 0, 0, err
	}
	if err := send(sourceSide, source, from); err != nil {
		return 0, 0, err
	}
	var watching sync.WaitGroup
	if err := expect(&in, msgCopyIn); err != nil {
		failure.set(targetSide, err)
		p.abandon(ctx)
	} else {
		watching.Go(func() {
			tag, err := finish(&in)
			if err != nil {
				failure.set(targetSide, err)
				p.abandon(ctx)
			}
			written = tag.RowsAffected()
		})
	}
	tag, err := p.pump(ctx, source, target, moved, &failure)
	if err != nil && !p.abandoned.Load() {
		fail := textMessage(msgCopyFail, "the source failed")
		_ = target.SetDeadline(time.Now().Add(drainTimeout))
		_, _ = target.Write(fail)
	}
	watching.Wait()
	return tag.RowsAffected(), written, failure.err
}

// send sends a statement.
func send(s side, c net.Conn, sql string) error {
	_, err := c.Write(textMessage(msgQuery, sql))
	return onSide(s, err)
}

// expect reads the message that begins a COPY. When the server fails the statement
// instead, all of its answer is read.
func expect(c *wire, want byte) error {
	kind, _, err := c.next()
	var answer *pgconn.PgError
	switch {
	case errors.As(err, &answer) && answer.Severity != fatal:
		_, more := finish(c)
		return errors.CombineErrors(err, more)
	case err == nil && kind != want:
		return errors.AssertionFailedf("message %q where %q was expected", kind, want)
	}
	return err
}

// pump moves rows until the source's COPY is complete, and tells the target so.
//
// Rows arrive as one CopyData message each. Their headers are squeezed out in
// place, and everything read at once leaves as one CopyData message, since the
// target pays for each message and rows may be split anywhere.
func (p *pipe) pump(ctx context.Context, source, target net.Conn, moved func(int64), failure *firstError) (pgconn.CommandTag, error) {
	out := wire{conn: source, buf: make([]byte, 4096)}
	if err := expect(&out, msgCopyOut); err != nil {
		failure.set(sourceSide, err)
		return pgconn.CommandTag{}, err
	}
	// What the small reader has already taken in goes to the front of the large one.
	end := headerLen + copy(p.buf[headerLen:], out.buf[out.r:out.w])
	var left int  // bytes of the current message that are still to come
	var skip bool // the current message is not CopyData
	for {
		r, w, done := headerLen, headerLen, false
		for r < end {
			if left > 0 {
				n := min(left, end-r)
				if !skip {
					if w != r {
						copy(p.buf[w:], p.buf[r:r+n])
					}
					w += n
				}
				r += n
				left -= n
				continue
			}
			if end-r < headerLen {
				break
			}
			kind := p.buf[r]
			if kind == msgCopyDone || kind == msgError {
				done = true
				break
			}
			left = int(binary.BigEndian.Uint32(p.buf[r+1:])) - 4
			skip = kind != msgCopyData
			r += headerLen
		}
		if w > headerLen && !p.abandoned.Load() {
			p.buf[0] = msgCopyData
			binary.BigEndian.PutUint32(p.buf[1:], uint32(w-1))
			if _, err := target.Write(p.buf[:w]); err != nil {
				// The server's own word for it is still to be read by the other goroutine.
				_ = target.SetReadDeadline(time.Now().Add(drainTimeout))
				p.abandon(ctx)
			} else {
				moved(int64(w - headerLen))
			}
		}
		if done {
			out.buf = append(out.buf[:0], p.buf[r:end]...)
			out.r, out.w = 0, len(out.buf)
			out.buf = out.buf[:cap(out.buf)]
			break
		}
		end = headerLen + copy(p.buf[headerLen:], p.buf[r:end])
		n, err := source.Read(p.buf[end:])
		end += n
		if err != nil && n == 0 {
			failure.set(sourceSide, err)
			return pgconn.CommandTag{}, err
		}
	}
	tag, err := finish(&out)
	if err != nil {
		failure.set(sourceSide, err)
		return tag, err
	}
	if !p.abandoned.Load() {
		_, err = target.Write([]byte{msgCopyDone, 0, 0, 0, 4})
	}
	return tag, err
}

// fatal is the severity of an error that ends the session.
const fatal = "FATAL"

// finish reads to the end of the statement, also when the server says that it failed.
func finish(c *wire) (tag pgconn.CommandTag, failure error) {
	for {
		kind, body, err := c.next()
		var answer *pgconn.PgError
		switch {
		case errors.As(err, &answer) && answer.Severity != fatal && failure == nil:
			failure = err
		case err != nil:
			return tag, errors.CombineErrors(failure, err)
		case kind == msgCommandComplete:
			tag = pgconn.NewCommandTag(string(body[:len(body)-1]))
		case kind == msgReady:
			return tag, failure
		}
	}
}

// interrupt ends the reads and writes of other goroutines on c.
func interrupt(c net.Conn) { _ = c.SetDeadline(time.Unix(1, 0)) }

// firstError keeps the error that came first: what follows on the other side is
// its consequence.
type firstError struct {
	once sync.Once
	err  error
}

func (f *firstError) set(s side, err error) {
	f.once.Do(func() { f.err = onSide(s, err) })
}
