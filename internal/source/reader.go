package source

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/cockroachdb/errors"
)

const (
	bufferBytes = 256 << 10
	// keptBytes is the largest buffer that is kept once its large message is done.
	keptBytes = 16 << 20
	// maxMessageBytes is the limit of the server's own buffers.
	maxMessageBytes = 1 << 30
	headerBytes     = 5
	// prefixBytes of a message that is too large are read, to say what it is about.
	prefixBytes = 64
)

// tooLargeError is a message that does not fit into a buffer.
type tooLargeError struct {
	kind   byte
	bytes  int
	max    int
	prefix []byte // of its body
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("message %q of %d bytes is larger than %d bytes", e.kind, e.bytes, e.max)
}

// reader cuts the server's messages out of the connection, without copying them.
type reader struct {
	conn       net.Conn
	buf        []byte
	start, end int
	max        int
	// before is called before each read of the connection; an error ends reading.
	before func() error
}

func newReader(conn net.Conn, before func() error) *reader {
	return &reader{conn: conn, buf: make([]byte, bufferBytes), max: maxMessageBytes, before: before}
}

// next returns the type and body of the next message. The body is valid until
// the following call.
func (r *reader) next() (kind byte, body []byte, err error) {
	for {
		need := headerBytes
		if have := r.buf[r.start:r.end]; len(have) >= headerBytes {
			length := int(binary.BigEndian.Uint32(have[1:]))
			need = length + 1
			switch {
			case length < 4:
				return 0, nil, errors.Newf("message %q has the impossible length %d", have[0], errors.Safe(length))
			case need > r.max && len(have) < prefixBytes:
				need = prefixBytes
			case need > r.max:
				return 0, nil, &tooLargeError{kind: have[0], bytes: length, max: r.max, prefix: have[headerBytes:prefixBytes]}
			case len(have) >= need:
				r.start += need
				return have[0], have[headerBytes:need:need], nil
			}
		}
		r.makeRoom(need)
		if err := r.fill(); err != nil {
			return 0, nil, err
		}
	}
}

// makeRoom makes a message of need bytes fit behind start, and moves a message
// that is cut off to the front before the reads would become small.
func (r *reader) makeRoom(need int) {
	have := r.buf[r.start:r.end]
	switch {
	case len(r.buf) < need, len(r.buf) > keptBytes && need <= bufferBytes && len(have) <= bufferBytes:
		size := bufferBytes
		for size < need && size < keptBytes {
			size *= 2
		}
		r.buf = make([]byte, max(size, need))
		r.start, r.end = 0, copy(r.buf, have)
	case len(have) == 0 || len(r.buf)-r.end < len(r.buf)/2:
		r.start, r.end = 0, copy(r.buf, have)
	}
}

// fill reads once. It is the only place that reads the connection.
func (r *reader) fill() error {
	if err := r.before(); err != nil {
		return err
	}
	n, err := r.conn.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil // an error comes again with the next read
	}
	return err
}
