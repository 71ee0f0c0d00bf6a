package source

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgproto3"
)

// endless repeats a stream of XLogData messages of a row's size.
type endless struct {
	wire []byte
	at   int
}

func newEndless() *endless {
	body := binary.BigEndian.AppendUint64([]byte{'w'}, 0x16B374D848)
	body = append(append(body, make([]byte, 16)...), bytes.Repeat([]byte{'x'}, 120)...)
	return &endless{wire: bytes.Repeat(message(body), 1000)}
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.wire[e.at:])
	e.at = (e.at + n) % len(e.wire)
	return n, nil
}

// BenchmarkReceive cuts one message out of the connection, by the package's own
// framing and by that of pgproto3 and pglogrepl.
func BenchmarkReceive(b *testing.B) {
	b.Run("walferry", func(b *testing.B) {
		r := readerOf(newEndless())
		b.ReportAllocs()
		for b.Loop() {
			if _, body, err := r.next(); err != nil || len(body) != 145 {
				b.Fatal(len(body), err)
			}
		}
	})
	b.Run("pglogrepl", func(b *testing.B) {
		f := pgproto3.NewFrontend(newEndless(), io.Discard)
		b.ReportAllocs()
		for b.Loop() {
			m, err := f.Receive()
			if err != nil {
				b.Fatal(err)
			}
			data, ok := m.(*pgproto3.CopyData)
			if !ok {
				b.Fatalf("%T", m)
			}
			if x, err := pglogrepl.ParseXLogData(data.Data[1:]); err != nil || len(x.WALData) != 120 {
				b.Fatal(err)
			}
		}
	})
}
