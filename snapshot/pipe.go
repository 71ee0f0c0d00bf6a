package snapshot

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
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
}

// side names the end of the pipe that an error came from.
type side string

const (
	sourceSide side = "source"
	targetSide side = "target"
)

// run executes both statements and returns the number of rows that each side
// reports. moved is called with the number of bytes after every write. After an
// error neither connection is usable.
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
	in := wire{conn: target, buf: make([]byte, 4096)}
	if err := p.start(source, target, &in, from, to); err != nil {
		return 0, 0, err
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		tag, err := finish(&in)
		if err != nil {
			failure.set(targetSide, err)
			interrupt(source)
		}
		written = tag.RowsAffected()
	})
	tag, err := p.pump(source, target, moved, &failure)
	if err != nil {
		fail := textMessage(msgCopyFail, "the source failed")
		_ = target.SetDeadline(time.Now().Add(drainTimeout))
		_, _ = target.Write(fail)
	}
	watching.Wait()
	return tag.RowsAffected(), written, failure.err
}

// start sends both statements and waits until the target is ready for rows.
func (p *pipe) start(source, target net.Conn, in *wire, from, to string) error {
	if _, err := target.Write(textMessage(msgQuery, to)); err != nil {
		return onSide(targetSide, err)
	}
	if _, err := source.Write(textMessage(msgQuery, from)); err != nil {
		return onSide(sourceSide, err)
	}
	kind, _, err := in.next()
	if err == nil && kind != msgCopyIn {
		err = errors.AssertionFailedf("message %q where CopyInResponse was expected", kind)
	}
	return onSide(targetSide, err)
}

// pump moves rows until the source's COPY is complete, and tells the target so.
//
// Rows arrive as one CopyData message each. Their headers are squeezed out in
// place, and everything read at once leaves as one CopyData message, since the
// target pays for each message and rows may be split anywhere.
func (p *pipe) pump(source, target net.Conn, moved func(int64), failure *firstError) (pgconn.CommandTag, error) {
	out := wire{conn: source, buf: make([]byte, 4096)}
	kind, _, err := out.next()
	if err == nil && kind != msgCopyOut {
		err = errors.AssertionFailedf("message %q where CopyOutResponse was expected", kind)
	}
	if err != nil {
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
		if w > headerLen {
			p.buf[0] = msgCopyData
			binary.BigEndian.PutUint32(p.buf[1:], uint32(w-1))
			if _, err := target.Write(p.buf[:w]); err != nil {
				// The server's own word for it is still to be read by the other goroutine.
				_ = target.SetReadDeadline(time.Now().Add(drainTimeout))
				return pgconn.CommandTag{}, errors.Wrap(err, "write rows")
			}
			moved(int64(w - headerLen))
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
	_, err = target.Write([]byte{msgCopyDone, 0, 0, 0, 4})
	return tag, err
}

// finish reads to the end of the statement.
func finish(c *wire) (tag pgconn.CommandTag, err error) {
	for {
		kind, body, err := c.next()
		if err != nil {
			return tag, err
		}
		switch kind {
		case msgCommandComplete:
			tag = pgconn.NewCommandTag(string(body[:len(body)-1]))
		case msgReady:
			return tag, nil
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
