package source

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestPacedConn_LosesNothingWhateverIsAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		sent := make([]byte, 5<<20)
		for i := range sent {
			sent[i] = byte(random.Uint32())
		}
		c := &pacedConn{Conn: readerConn{Reader: readFunc(chunks(bytes.NewReader(sent), random))}}
		var got []byte
		p := make([]byte, bufferBytes)
		for {
			c.on = random.IntN(4) > 0 // it is switched while data is read ahead
			n, err := c.Read(p[:1+random.IntN(len(p))])
			got = append(got, p[:n]...)
			if err == io.EOF { //nolint:errorlint // a reader returns it as it is
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%d bytes, not those that were sent", len(got))
		}
	})
}

// chunks returns reads of sizes between one byte and more than a window.
func chunks(r io.Reader, random *rand.Rand) func([]byte) (int, error) {
	return func(p []byte) (int, error) { return r.Read(p[:1+random.IntN(min(len(p), 2*windowBytes))]) }
}

// TestPacedConn_ReadsInBursts keeps a sender going that makes rows at some speed, into
// a buffer of its own, without reading what comes row by row.
func TestPacedConn_ReadsInBursts(t *testing.T) {
	t.Parallel()
	const buffer = 2 << 20
	synctest.Test(t, func(t *testing.T) {
		for _, perMillisecond := range []int{4 << 10, 40 << 10, 90 << 10} {
			queued, last := 0, time.Now()
			c := &pacedConn{on: true, Conn: readerConn{Reader: readFunc(func(p []byte) (int, error) {
				if queued == 0 {
					time.Sleep(time.Microsecond) //nolint:forbidigo // of a synctest bubble: a read waits for the next row
				}
				queued = min(queued+int(time.Since(last)*time.Duration(perMillisecond)/time.Millisecond)+1, buffer)
				last = time.Now()
				n := min(queued, 2*windowBytes, len(p))
				queued -= n
				return n, nil
			})}}
			p := make([]byte, bufferBytes)
			start, read, reads := time.Now(), 0, 0
			for time.Since(start) < 10*time.Second {
				n, _ := c.Read(p)
				read += n
				reads++
			}
			if c.pause > longestPause {
				t.Errorf("pause of %s", c.pause)
			}
			if possible := 10_000 * perMillisecond; read < possible*95/100 {
				t.Errorf("%d bytes a millisecond: read %d of %d bytes", perMillisecond, read, possible)
			}
			if most := 2*10_000/15 + read/windowBytes; reads > most {
				t.Errorf("%d bytes a millisecond: %d reads, want at most %d", perMillisecond, reads, most)
			}
		}
	})
}

func TestPacedConn_PreparesShortPathsOnly(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nothing is lost
	conn, err := new(net.Dialer).DialContext(t.Context(), "unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	if paced := pacedUnder(pace(conn)); paced == nil || paced.prepare() {
		t.Error("a Unix socket has no window to close")
	}
	if pacedUnder(conn) != nil {
		t.Error("a connection of another kind")
	}
}
