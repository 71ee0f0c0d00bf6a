package wire

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sslRequest and gssRequest are the codes by which a client asks for encryption.
	sslRequest, gssRequest = 80877103, 80877104
	// cancelRequest is a connection of one message.
	cancelRequest = 80877102
	headerBytes   = 5
	// unanswered is how long an answer is waited for before a cut.
	unanswered = time.Second
)

// link is one connection that is carried.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	gone           chan struct{}
	once           sync.Once
	// requested has the server's next byte be its answer to a request for encryption.
	mu        sync.Mutex
	requested bool
	// deaf has whatever is carried after a message that was cut after end the link.
	deaf atomic.Bool
}

// cut ends both sides at once: what is under way is lost.
func (l *link) cut() {
	l.once.Do(func() {
		close(l.gone)
		for _, c := range []net.Conn{l.client, l.server} {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // a reset
			}
			_ = c.Close()
		}
	})
}

// direction carries one direction, message by message, until either side ends.
func (l *link) direction(from, to net.Conn, fromClient bool) {
	defer l.cut()
	in := bufio.NewReaderSize(from, 64<<10)
	out := &writer{l: l, to: to}
	if fromClient && !l.startup(in, out) || !fromClient && !l.encryption(in, out) {
		return
	}
	for l.message(in, out, fromClient) {
		if in.Buffered() == 0 && out.flush() != nil {
			return
		}
	}
	_ = out.flush() // what came before the end
}

// startup carries what has no type byte. It returns false at the connection's end.
func (l *link) startup(in *bufio.Reader, out *writer) bool {
	for {
		head, err := in.Peek(8)
		if err != nil {
			return false
		}
		size, code := int64(binary.BigEndian.Uint32(head)), binary.BigEndian.Uint32(head[4:])
		asks := code == sslRequest || code == gssRequest
		if asks {
			l.mu.Lock()
			l.requested = true
			l.mu.Unlock()
		}
		if _, err := io.CopyN(out, in, size); err != nil || out.flush() != nil {
			return false
		}
		if !asks {
			return code != cancelRequest
		}
		// What follows may be encrypted, which nobody can read. Clients wait for the
		// answer, and then either begin a handshake or send the start-up again.
		next, err := in.Peek(1)
		if err != nil {
			return false
		}
		if next[0] == 0x16 { // a TLS handshake
			_, _ = io.Copy(out, in)
			return false
		}
	}
}

// encryption carries the server's answers to requests for encryption, which are
// single bytes.
func (l *link) encryption(in *bufio.Reader, out *writer) bool {
	for {
		if _, err := in.Peek(1); err != nil {
			return false
		}
		l.mu.Lock()
		requested := l.requested
		l.requested = false
		l.mu.Unlock()
		if !requested {
			return true
		}
		answer, err := in.ReadByte()
		if err != nil {
			return false
		}
		if _, err := out.Write([]byte{answer}); err != nil || out.flush() != nil {
			return false
		}
		if answer == 'S' || answer == 'G' {
			_, _ = io.Copy(out, in)
			return false
		}
	}
}

// message carries one message as its rule says. It returns false when nothing follows.
func (l *link) message(in *bufio.Reader, out *writer, fromClient bool) bool {
	header, err := in.Peek(headerBytes)
	if err != nil {
		return false
	}
	size := int64(binary.BigEndian.Uint32(header[1:])) + 1
	fate := Pass
	if rule := l.proxy.rule.Load(); rule != nil {
		head, err := in.Peek(int(min(size, headerBytes+HeadBytes)))
		if err != nil {
			return false
		}
		fate = (*rule)(Message{FromClient: fromClient, Kind: head[0], Head: head[headerBytes:]})
	}
	switch fate {
	case CutBefore:
		_ = out.flush()
		return false
	case CutInside:
		_, _ = io.CopyN(out, in, size/2)
		_ = out.flush()
		return false
	case CutAfter:
		l.deaf.Store(true)
		_, _ = io.CopyN(out, in, size)
		_ = out.flush()
		// What answers is taken as having acted; some messages are not answered.
		select {
		case <-l.gone:
		case <-time.After(unanswered):
		}
		return false
	case Pass:
	}
	if l.deaf.Load() {
		return false // an answer to what was cut after
	}
	_, err = io.CopyN(out, in, size)
	return err == nil
}

// writer writes to one side, in pieces, and not while the proxy is stalled.
type writer struct {
	l   *link
	to  net.Conn
	buf []byte
}

// Write implements [io.Writer]; flush sends.
func (w *writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	if len(w.buf) < 64<<10 {
		return len(p), nil
	}
	return len(p), w.flush()
}

func (w *writer) flush() error {
	for len(w.buf) > 0 {
		select {
		case <-w.l.proxy.stalled():
		case <-w.l.gone:
			return net.ErrClosed
		}
		piece := w.buf
		if n := int(w.l.proxy.split.Load()); n > 0 {
			piece = piece[:min(n, len(piece))]
		}
		n, err := w.to.Write(piece)
		w.buf = w.buf[n:]
		if err != nil {
			return err
		}
	}
	w.buf = w.buf[:0]
	return nil
}
