package source_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/source"
)

// link is a TCP proxy that can stop carrying what the server says.
type link struct {
	listener net.Listener
	mu       sync.Mutex // held while frozen
	wait     sync.WaitGroup
}

// newLink returns a proxy in front of the URI's server, and the URI to use it.
func newLink(t *testing.T, uri string) (*link, string) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener}
	l.wait.Go(func() { l.accept(server) })
	t.Cleanup(func() {
		_ = listener.Close()
		l.wait.Wait()
	})
	u.Host = listener.Addr().String()
	return l, u.String()
}

func (l *link) accept(server string) {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		upstream, err := d.DialContext(context.Background(), "tcp", server)
		if err != nil {
			_ = client.Close()
			continue
		}
		pass := func(to, from net.Conn, gate bool) {
			buf := make([]byte, 32<<10)
			for {
				n, err := from.Read(buf)
				if gate {
					l.mu.Lock()
					l.mu.Unlock() //nolint:staticcheck // waits while the link is frozen
				}
				if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
					_ = to.Close()
					_ = from.Close()
					return
				}
			}
		}
		l.wait.Go(func() { pass(client, upstream, true) })
		l.wait.Go(func() { pass(upstream, client, false) })
	}
}

func TestStream_NoticesADeadPeer(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	slot := createSlot(t, uri, "dead_peer")
	frozen, through := newLink(t, uri)
	pgtest.Exec(t, uri, "INSERT INTO t VALUES (1)")
	freeze := sync.OnceFunc(frozen.mu.Lock)
	defer frozen.mu.Unlock()
	err := connect(t, through).Stream(t.Context(),
		source.StreamOptions{Slot: "dead_peer", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: new(source.Positions), PeerTimeout: time.Second},
		func(_ source.LSN, payload []byte) error {
			if payload[0] == 'C' {
				freeze()
			}
			return nil
		}, nil)
	freeze()
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() || !retry.Retryable(err) || len(errors.GetAllDetails(err)) == 0 {
		t.Errorf("%v, details %q", err, errors.GetAllDetails(err))
	}
}

func TestStream_KeepsAnIdleConnectionByAsking(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	database := pgtest.Query(t, uri, "SELECT current_database()")[0][0]
	pgtest.Exec(t, uri, fmt.Sprintf("ALTER DATABASE %q SET wal_sender_timeout = 0", database))
	slot := createSlot(t, uri, "idle")
	const timeout = 400 * time.Millisecond
	var first time.Time
	err := connect(t, uri).Stream(t.Context(),
		source.StreamOptions{Slot: "idle", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: new(source.Positions), PeerTimeout: timeout},
		func(source.LSN, []byte) error { return nil },
		func(source.LSN, bool) error {
			if first.IsZero() {
				first = time.Now()
			}
			if time.Since(first) > 5*timeout {
				return errEnough
			}
			return nil
		})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
}

func TestStream_OverOtherTransports(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, sourceMajor())
	uri := server.Database(t, published)
	info, err := conninfo.Parse("source", uri)
	if err != nil {
		t.Fatal(err)
	}
	dialled := false
	for name, c := range map[string]struct {
		conn string
		opts []conninfo.Option
	}{
		"socket": {fmt.Sprintf("host=%s port=%d user=postgres dbname=%s", server.SocketDir(), server.Port(), info.Database()), nil},
		"dialer": {uri, []conninfo.Option{conninfo.WithPurpose("stream"), conninfo.WithDial(func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled = true
			return new(net.Dialer).DialContext(ctx, network, address)
		})}},
	} {
		slot := createSlot(t, uri, "transport_"+name)
		pgtest.Exec(t, uri, "INSERT INTO t SELECT i FROM generate_series(1, 10000) i", "DELETE FROM t")
		info, err := conninfo.Parse("source", c.conn)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := source.Connect(t.Context(), info, nil, c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		var got received
		err = stream.Stream(t.Context(), source.StreamOptions{Slot: "transport_" + name, Start: slot.ConsistentPoint, PluginOptions: plain, Positions: new(source.Positions)},
			func(walStart source.LSN, payload []byte) error {
				_ = got.push(walStart, payload)
				if got.inserts == 10000 && payload[0] == 'C' {
					return errEnough
				}
				return nil
			}, nil)
		if !errors.Is(err, errEnough) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !dialled {
		t.Error("the dialer was not used")
	}
}

func TestStream_EndsInTheMidstOfALargeTransaction(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	slot := createSlot(t, uri, "midst")
	pgtest.Exec(t, uri, "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 50000) i")
	ctx, cancel := context.WithCancelCause(t.Context())
	told := errors.New("told to stop")
	var got received
	err := connect(t, uri).Stream(ctx, source.StreamOptions{Slot: "midst", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: new(source.Positions)},
		func(walStart source.LSN, payload []byte) error {
			_ = got.push(walStart, payload)
			if got.inserts == 1000 {
				cancel(told)
			}
			return nil
		}, nil)
	if !errors.Is(err, told) || errors.Is(err, io.ErrUnexpectedEOF) || got.inserts == 50000 {
		t.Errorf("%d inserts, %v", got.inserts, err)
	}
	pgtest.Eventually(t, "the slot is free", func() bool {
		return pgtest.Query(t, uri, "SELECT active FROM pg_replication_slots WHERE slot_name = 'midst'")[0][0] == "f"
	})
}

func TestStream_PacedOverABacklog(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	slot := createSlot(t, uri, "paced")
	pgtest.Exec(t, uri, "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 30000) i", "INSERT INTO t VALUES (0, clock_timestamp())")
	pgtest.Eventually(t, "the changes are old", func() bool {
		return pgtest.Query(t, uri, "SELECT clock_timestamp() - data::timestamptz > '1.5 s' FROM t WHERE id = 0")[0][0] == "t"
	})
	var (
		got  received
		next = 1
	)
	err := connect(t, uri).Stream(t.Context(), source.StreamOptions{Slot: "paced", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: new(source.Positions), Paced: true},
		func(walStart source.LSN, payload []byte) error {
			_ = got.push(walStart, payload)
			if payload[0] == 'I' && got.inserts <= 30000 {
				// 'I', relation, 'N', two columns, 't', length, digits
				digits := int(payload[12])
				if id := string(payload[13 : 13+digits]); id != strconv.Itoa(next) {
					t.Errorf("row %s, want %d", id, next)
					return errEnough
				}
				next++
			}
			if payload[0] == 'C' && got.inserts == 30001 {
				return errEnough
			}
			return nil
		}, nil)
	if !errors.Is(err, errEnough) || got.inserts != 30001 {
		t.Errorf("%d inserts, %v", got.inserts, err)
	}
}
