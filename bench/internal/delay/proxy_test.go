package delay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/bench/internal/delay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// echo answers every connection with what it says, until ctx ends.
func echo(ctx context.Context, t *testing.T, g *errgroup.Group) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	context.AfterFunc(ctx, func() { _ = l.Close() })
	g.Go(func() error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return nil //nolint:nilerr // closed at the end of the test
			}
			g.Go(func() error {
				_, err := io.Copy(conn, conn)
				_ = conn.Close()
				return err
			})
		}
	})
	return l.Addr().String()
}

// dial connects through a proxy to an echoing server.
func dial(t *testing.T, o delay.Options) *net.TCPConn {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	t.Cleanup(func() {
		cancel()
		_ = g.Wait() // broken connections are how the test ends
	})
	o.Target = echo(ctx, t, &g)
	p, err := delay.Listen(o)
	ok(t, err)
	g.Go(func() error { return p.Serve(ctx) })
	conn, err := net.Dial("tcp", p.Addr())
	ok(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

func TestRoundTripTakesAtLeastTheRTT(t *testing.T) {
	t.Parallel()
	const rtt = 20 * time.Millisecond
	conn := dial(t, delay.Options{RTT: rtt})
	for range 3 {
		start := time.Now()
		_, err := conn.Write([]byte("ping"))
		ok(t, err)
		_, err = io.ReadFull(conn, make([]byte, 4))
		ok(t, err)
		if took := time.Since(start); took < rtt {
			t.Fatalf("a round trip took %s, less than the %s that were asked for", took, rtt)
		}
	}
}

func TestBytesArriveInOrderAndTheEndToo(t *testing.T) {
	t.Parallel()
	conn := dial(t, delay.Options{RTT: 2 * time.Millisecond, Window: 1 << 20})
	sent := make([]byte, 8<<20)
	_, err := rand.Read(sent)
	ok(t, err)
	var g errgroup.Group
	g.Go(func() error {
		if _, err := conn.Write(sent); err != nil {
			return err
		}
		return conn.CloseWrite()
	})
	got, err := io.ReadAll(conn)
	ok(t, err)
	ok(t, g.Wait())
	if !bytes.Equal(sent, got) {
		t.Fatalf("%d bytes came back, not the %d that were sent", len(got), len(sent))
	}
}

// With 64 KiB in flight, 640 KiB each way take at least nine round trips.
func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	const rtt = 10 * time.Millisecond
	conn := dial(t, delay.Options{RTT: rtt, Window: 64 << 10})
	start := time.Now()
	var g errgroup.Group
	g.Go(func() error {
		if _, err := conn.Write(make([]byte, 640<<10)); err != nil {
			return err
		}
		return conn.CloseWrite()
	})
	_, err := io.Copy(io.Discard, conn)
	ok(t, err)
	ok(t, g.Wait())
	if took := time.Since(start); took < 9*rtt {
		t.Fatalf("ten windows took %s, less than nine round trips of %s", took, rtt)
	}
}
