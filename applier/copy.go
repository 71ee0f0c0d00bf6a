package applier

import (
	"context"
	"encoding/binary"
	"io"
	"math"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/decoder"
)

// copyReader renders changes as the data of a COPY FROM STDIN.
type copyReader struct {
	batch   *batch
	changes []change
	columns []param
	binary  bool
	// whole reports that the columns are all of the new tuple, in its order, so that
	// a row can be taken as it lies in the arena.
	whole bool

	next   int
	buffer []byte
	read   int
	ended  bool
}

var copySignature = []byte("PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000")

// copyChunk is how many bytes are rendered at a time.
const copyChunk = 64 << 10

// Read implements [io.Reader].
func (r *copyReader) Read(into []byte) (int, error) {
	if r.read == len(r.buffer) {
		if r.ended {
			return 0, io.EOF
		}
		r.fill()
	}
	n := copy(into, r.buffer[r.read:])
	r.read += n
	return n, nil
}

func (r *copyReader) fill() {
	r.buffer, r.read = r.buffer[:0], 0
	if r.binary && r.next == 0 {
		r.buffer = append(r.buffer, copySignature...)
	}
	for r.next < len(r.changes) && len(r.buffer) < copyChunk {
		c := &r.changes[r.next]
		r.next++
		switch {
		case !r.binary:
			r.text(c)
		case r.whole && !c.scattered:
			r.arena(c)
		default:
			r.values(c)
		}
	}
	if r.next == len(r.changes) {
		r.ended = true
		if r.binary {
			r.buffer = binary.BigEndian.AppendUint16(r.buffer, math.MaxUint16)
		}
	}
}

// arena appends a row whose bytes are those of the batch.
func (r *copyReader) arena(c *change) {
	last := r.batch.value(c.new, len(r.columns)-1)
	first := r.batch.value(c.new, 0)
	r.buffer = binary.BigEndian.AppendUint16(r.buffer, uint16(len(r.columns)))
	r.buffer = append(r.buffer, r.batch.arena[first.offset-4:last.offset+uint32(last.size)]...)
}

// values appends a row in binary value by value.
func (r *copyReader) values(c *change) {
	r.buffer = binary.BigEndian.AppendUint16(r.buffer, uint16(len(r.columns)))
	for _, column := range r.columns {
		v := r.value(c, column)
		if v.kind == decoder.Null || v.kind == decoder.Unchanged {
			r.buffer = binary.BigEndian.AppendUint32(r.buffer, math.MaxUint32)
			continue
		}
		r.buffer = append(r.buffer, r.batch.arena[v.offset-4:v.offset+uint32(v.size)]...)
	}
}

// text appends a row as text.
func (r *copyReader) text(c *change) {
	for n, column := range r.columns {
		if n > 0 {
			r.buffer = append(r.buffer, '\t')
		}
		v := r.value(c, column)
		if v.kind == decoder.Null || v.kind == decoder.Unchanged {
			r.buffer = append(r.buffer, '\\', 'N')
			continue
		}
		r.buffer = appendEscaped(r.buffer, r.batch.data(v))
	}
	r.buffer = append(r.buffer, '\n')
}

func (r *copyReader) value(c *change, column param) value {
	if column.old {
		return r.batch.value(c.old, column.column)
	}
	return r.batch.value(c.new, column.column)
}

// escapes holds what follows the backslash for the bytes that COPY needs escaped.
var escapes = [256]byte{'\\': '\\', '\n': 'n', '\r': 'r', '\t': 't'}

func appendEscaped(to, data []byte) []byte {
	done := 0
	for i, c := range data {
		if e := escapes[c]; e != 0 {
			to = append(to, data[done:i]...)
			to = append(to, '\\', e)
			done = i + 1
		}
	}
	return append(to, data[done:]...)
}

// copyRows copies the changes' rows into a table and runs what follows, in one round
// trip. The tag is that of the last statement.
func (l *lane) copyRows(ctx context.Context, table string, r *copyReader, then string) (pgconn.CommandTag, error) {
	r.buffer = l.copyBuffer[:0]
	sql := "COPY " + table + " FROM STDIN"
	if r.binary {
		sql += " (FORMAT binary)"
	}
	if then != "" {
		sql += "; " + then
	}
	tag, err := l.conn.PgConn().CopyFrom(ctx, r, l.withControl(sql))
	if err == nil {
		// After an error the connection may still be reading.
		l.copyBuffer = r.buffer
	}
	return tag, err
}
