package source

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cockroachdb/errors"
)

// readerConn is a connection of which only Read is used.
type readerConn struct {
	net.Conn
	io.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func message(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{'d'}, uint32(len(body)+4)), body...)
}

func readerOf(r io.Reader) *reader {
	return newReader(readerConn{Reader: r}, func() error { return nil })
}

func TestReader_CutsMessagesWhateverTheReadsReturn(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var bodies [][]byte
	var wire []byte
	for _, size := range []int{0, 1, 100, bufferBytes - headerBytes, bufferBytes, 3 * bufferBytes, 7, keptBytes + 1, 5, 0, bufferBytes + 1} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(random.Uint32())
		}
		bodies = append(bodies, body)
		wire = append(wire, message(body)...)
	}
	for range 20000 {
		body := bytes.Repeat([]byte{'x'}, random.IntN(300))
		bodies = append(bodies, body)
		wire = append(wire, message(body)...)
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole":        func(r io.Reader) io.Reader { return r },
		"half":         iotest.HalfReader,
		"data and EOF": iotest.DataErrReader,
		"random": func(r io.Reader) io.Reader {
			return readFunc(func(p []byte) (int, error) { return r.Read(p[:1+random.IntN(min(len(p), 70000))]) })
		},
	} {
		r := readerOf(wrap(bytes.NewReader(wire)))
		for i, want := range bodies {
			kind, body, err := r.next()
			if err != nil || kind != 'd' || !bytes.Equal(body, want) {
				t.Fatalf("%s: message %d of %d bytes: %q, %d bytes, %v", name, i, len(want), kind, len(body), err)
			}
		}
		if _, _, err := r.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", name, err)
		}
		if len(r.buf) > keptBytes {
			t.Errorf("%s: a buffer of %d bytes is kept", name, len(r.buf))
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestReader_RefusesImpossibleLengths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wire []byte
		want string
	}{
		{[]byte{'d', 0, 0, 0, 3}, `message 'd' has the impossible length 3`},
		{append([]byte{'d', 0x7f, 0xff, 0xff, 0xff}, make([]byte, prefixBytes)...), "message 'd' of 2147483647 bytes is larger than 1073741824 bytes"},
		{append([]byte{'d', 0xff, 0xff, 0xff, 0xff}, make([]byte, prefixBytes)...), "is larger than"},
	} {
		r := readerOf(bytes.NewReader(c.wire))
		if _, _, err := r.next(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if len(r.buf) != bufferBytes {
			t.Errorf("%s: allocated %d bytes", c.want, len(r.buf))
		}
	}
}

func TestReader_AllocatesNothingPerMessage(t *testing.T) {
	wire := bytes.Repeat(message(make([]byte, 150)), 2000)
	src := bytes.NewReader(nil)
	r := readerOf(src)
	if n := testing.AllocsPerRun(10, func() {
		src.Reset(wire)
		for range 2000 {
			if _, _, err := r.next(); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestStream_NamesTheTableOfAMessageThatIsTooLarge(t *testing.T) {
	t.Parallel()
	body := binary.BigEndian.AppendUint64([]byte{'w'}, 0x16B374D848)
	body = append(append(body, make([]byte, 16)...), "Ipayload"...)
	r := readerOf(iotest.OneByteReader(bytes.NewReader(message(append(body, make([]byte, 2000)...)))))
	r.max = 1000
	_, _, err := r.next()
	s := &stream{options: StreamOptions{Describe: func(payload []byte) string { return "about " + string(payload[:8]) }}}
	err = s.readError(t.Context(), err)
	for _, want := range []string{"about Ipayload", "16/B374D848", "of 2037 bytes", "larger than 1000 bytes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
