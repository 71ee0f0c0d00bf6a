package source

import (
	"crypto/tls"
	"net"
	"time"
)

// Reading as soon as anything is there costs the walsender one TCP segment per
// row. While the receive window is closed the kernel gathers its rows instead, in the
// sender's buffer. So the reader pauses, and then reads all that has gathered in one
// burst of full windows: what arrives in an open window is little beside it.
const (
	// windowBytes is the socket's receive buffer while reads are paced; Linux grants
	// twice as much, and a paced read should find at least this.
	windowBytes = 64 << 10
	// burstBytes is what a burst should find. The sender's buffer must hold it: one that
	// is full stops the walsender.
	burstBytes = 768 << 10
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
	on bool
	// pause comes before the next burst, burst is what this one has read so far.
	pause time.Duration
	burst int
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
	if c.burst == 0 && c.pause > 0 {
		if c.timer == nil {
			c.timer = time.NewTimer(c.pause)
		} else {
			c.timer.Reset(c.pause)
		}
		<-c.timer.C
	}
	n, err := c.Conn.Read(p)
	c.burst += n
	if n < windowBytes {
		c.pause, c.burst = nextPause(c.pause, c.burst), 0
	}
	return n, err
}

// nextPause lengthens the pause after a burst that found little, and shortens it
// after one that found so much that the sender may have waited.
func nextPause(pause time.Duration, burst int) time.Duration {
	if burst > burstBytes {
		return max(pause*3/4, time.Millisecond)
	}
	return min(pause*5/4+time.Millisecond, longestPause)
}
