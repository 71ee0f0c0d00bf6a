package decoder

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// reader walks once over a message. The first read that does not fit records its
// fault; from then on every read returns zero, so callers check once, at the end.
type reader struct {
	buf   []byte
	pos   int
	fault string // empty while all is well
}

func (r *reader) fail(fault string) {
	if r.fault == "" {
		r.fault = fault
	}
}

// take returns the next n bytes, or nil when they are not there.
func (r *reader) take(n int) []byte {
	if r.fault != "" || n > len(r.buf)-r.pos {
		r.fail("the message ends inside of a field")
		return nil
	}
	b := r.buf[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) lsn() LSN { return LSN(r.uint64()) }

// postgresEpoch is 2000-01-01 in microseconds of Unix time.
const postgresEpoch = 946684800_000000

func (r *reader) time() time.Time {
	return time.UnixMicro(int64(r.uint64()) + postgresEpoch).UTC()
}

// flag reads a byte that must be 0 or 1.
func (r *reader) flag(fault string) bool {
	b := r.byte()
	if b > 1 {
		r.pos--
		r.fail(fault)
	}
	return b == 1
}

// noFlags reads a flag byte for which the protocol defines no flag.
func (r *reader) noFlags() {
	if r.byte() != 0 {
		r.pos--
		r.fail("unknown flags")
	}
}

// cstring returns a NUL-terminated string without its NUL.
func (r *reader) cstring() []byte {
	if r.fault != "" {
		return nil
	}
	n := bytes.IndexByte(r.buf[r.pos:], 0)
	if n < 0 {
		r.fail("a string has no end")
		return nil
	}
	b := r.buf[r.pos : r.pos+n]
	r.pos += n + 1
	return b
}

// namespace reads a schema name; the server leaves pg_catalog out.
func (r *reader) namespace() string {
	if b := r.cstring(); len(b) > 0 {
		return string(b)
	}
	return "pg_catalog"
}

// tuple reads a tuple into dst, whose array is reused when it is large enough.
func (r *reader) tuple(dst Tuple) Tuple {
	n := int(r.uint16())
	if n > len(r.buf)-r.pos {
		r.fail("the tuple has more columns than bytes")
		return dst[:0]
	}
	if dst == nil || n > cap(dst) {
		dst = make(Tuple, n)
	}
	dst = dst[:n]
	buf, pos := r.buf, r.pos
	for i := range dst {
		if pos >= len(buf) {
			r.pos = pos
			r.fail("the message ends inside of a tuple")
			return dst[:0]
		}
		switch kind := ValueKind(buf[pos]); kind {
		case Null, Unchanged:
			dst[i] = Value{Kind: kind}
			pos++
		case Text, Binary:
			rest := buf[pos+1:]
			if len(rest) < 4 {
				r.pos = pos
				r.fail("the message ends inside of a tuple")
				return dst[:0]
			}
			size := binary.BigEndian.Uint32(rest)
			if uint64(size) > uint64(len(rest)-4) || size > math.MaxInt32 {
				r.pos = pos
				r.fail("a column is longer than the message")
				return dst[:0]
			}
			end := 4 + int(size)
			dst[i] = Value{Kind: kind, Data: rest[4:end:end]}
			pos += 1 + end
		default:
			r.pos = pos
			r.fail("unknown kind of column value")
			return dst[:0]
		}
	}
	r.pos = pos
	return dst
}
