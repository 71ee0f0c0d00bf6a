package snapshot

import (
	"encoding/binary"
	"net"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// headerLen is the size of a protocol message's type and length. The length
// counts itself but not the type.
const headerLen = 5

// The messages that a COPY meets.
const (
	msgCopyIn          = 'G'
	msgCopyOut         = 'H'
	msgCopyData        = 'd'
	msgCopyDone        = 'c'
	msgCopyFail        = 'f'
	msgCommandComplete = 'C'
	msgError           = 'E'
	msgNotice          = 'N'
	msgParameterStatus = 'S'
	msgNotification    = 'A'
	msgQuery           = 'Q'
	msgReady           = 'Z'
)

// maxControlBytes bounds the messages that are read whole; only rows are longer.
const maxControlBytes = 1 << 20

// wire reads whole protocol messages from a connection that nobody else reads.
type wire struct {
	conn net.Conn
	buf  []byte
	r, w int // unread bytes of buf
}

// next returns the next message but for the asynchronous ones, which may come at
// any time and mean nothing to a copy. body is valid until the next call. An
// ErrorResponse is returned as the error.
func (c *wire) next() (kind byte, body []byte, err error) {
	for {
		header, err := c.take(headerLen)
		if err != nil {
			return 0, nil, err
		}
		kind, n := header[0], int(binary.BigEndian.Uint32(header[1:]))-4
		if n < 0 || n > maxControlBytes {
			return 0, nil, errors.AssertionFailedf("message %q of %d bytes from the server", kind, n)
		}
		if body, err = c.take(n); err != nil {
			return 0, nil, err
		}
		switch kind {
		case msgNotice, msgParameterStatus, msgNotification:
		case msgError:
			var response pgproto3.ErrorResponse
			if err := response.Decode(body); err != nil {
				return 0, nil, errors.Wrap(err, "decode the server's error")
			}
			return 0, nil, pgconn.ErrorResponseToPgError(&response)
		default:
			return kind, body, nil
		}
	}
}

func (c *wire) take(n int) ([]byte, error) {
	if c.w-c.r < n {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
		if n > len(c.buf) {
			c.buf = append(c.buf, make([]byte, n-len(c.buf))...)
		}
		for c.w < n {
			k, err := c.conn.Read(c.buf[c.w:])
			c.w += k
			if err != nil && c.w < n {
				return nil, err
			}
		}
	}
	c.r += n
	return c.buf[c.r-n : c.r : c.r], nil
}

// textMessage returns a message whose body is one string.
func textMessage(kind byte, text string) []byte {
	m := make([]byte, 1, headerLen+len(text)+1)
	m[0] = kind
	m = binary.BigEndian.AppendUint32(m, uint32(4+len(text)+1))
	m = append(m, text...)
	return append(m, 0)
}
