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

func TestPacedConn_FindsThePauseOfAFullWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// A sender that fills a window in 5 ms, and ten times as slow a one.
		for _, fills := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond} {
			last := time.Now()
			c := &pacedConn{on: true, Conn: readerConn{Reader: readFunc(func(p []byte) (int, error) {
				n := int(time.Since(last) * windowBytes / fills)
				last = time.Now()
				return min(max(n, 1), 2*windowBytes, len(p)), nil
			})}}
			p := make([]byte, bufferBytes)
			start, read := time.Now(), 0
			for range 1000 {
				n, _ := c.Read(p)
				read += n
			}
			passed := time.Since(start)
			if c.pause > longestPause {
				t.Errorf("pause of %s", c.pause)
			}
			// No more than one window in ten is lost by pausing.
			if possible := int(passed * windowBytes / fills); read < possible*9/10 {
				t.Errorf("a window in %s: read %d of %d bytes", fills, read, possible)
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
