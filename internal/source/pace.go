package source

import (
	"crypto/tls"
	"net"
	"time"
)

// Reading as soon as anything is there costs the walsender one TCP segment per
// row. While the receive window is closed the kernel gathers its rows instead, so
// a reader that is just slower than the walsender is served faster, and cheaper for
// both sides.
const (
	// windowBytes is the socket's receive buffer while reads are paced; Linux grants
	// twice as much, and a paced read should find at least this.
	windowBytes = 64 << 10
	// longestPause bounds what pacing adds to the delay of one message.
	longestPause = 20 * time.Millisecond
	// longestTrip is the round trip up to which a small window is enough.
	longestTrip = 2 * time.Millisecond
	// behind is how old a change is when reads begin to be paced.
	behind = time.Second
)

// pacedConn is a network connection whose reads can be paced. One goroutine reads.
type pacedConn struct {
	net.Conn
	on    bool
	pause time.Duration
	timer *time.Timer
	// buf is what TLS, which reads little by little, is served from; ahead is its
	// unread part.
	buf, ahead []byte
}

func pace(conn net.Conn) net.Conn { return &pacedConn{Conn: conn} }

// pacedUnder finds the paced connection below TLS, nil when there is none.
func pacedUnder(conn net.Conn) *pacedConn {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	paced, _ := conn.(*pacedConn)
	return paced
}

// prepare makes the window small and reports whether pacing can help: by TCP, and
// on a path so short that the window does not bound the throughput.
func (c *pacedConn) prepare() bool {
	conn, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return false
	}
	trip, known := roundTrip(conn)
	return known && trip <= longestTrip && conn.SetReadBuffer(windowBytes) == nil
}

// Read implements net.Conn.
func (c *pacedConn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	if !c.on {
		return c.Conn.Read(p)
	}
	if len(p) >= windowBytes {
		return c.pacedRead(p)
	}
	if c.buf == nil {
		c.buf = make([]byte, bufferBytes)
	}
	n, err := c.pacedRead(c.buf)
	c.ahead = c.buf[:n]
	n = copy(p, c.ahead)
	c.ahead = c.ahead[n:]
	return n, err
}

func (c *pacedConn) pacedRead(p []byte) (int, error) {
	if c.pause > 0 {
		if c.timer == nil {
			c.timer = time.NewTimer(c.pause)
		} else {
			c.timer.Reset(c.pause)
		}
		<-c.timer.C
	}
	n, err := c.Conn.Read(p)
	c.pause = nextPause(c.pause, n)
	return n, err
}

// nextPause shortens the pause a little after a read of a full window, and
// lengthens it a lot after another: too short a pause makes both sides slow, too
// long a one only delays.
func nextPause(pause time.Duration, read int) time.Duration {
	if read >= windowBytes {
		return pause * 9 / 10
	}
	return min(max(pause*3/2, time.Millisecond), longestPause)
}
