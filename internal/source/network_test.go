package source_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/wire"
)

func TestStream_NoticesADeadPeer(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	slot := createSlot(t, uri, "dead_peer")
	proxy, through := wire.Through(t, uri)
	pgtest.Exec(t, uri, "INSERT INTO t VALUES (1)")
	err := connect(t, through).Stream(t.Context(),
		source.StreamOptions{Slot: "dead_peer", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: new(source.Positions), PeerTimeout: time.Second},
		func(_ source.LSN, payload []byte) error {
			if payload[0] == 'C' {
				proxy.Stall()
			}
			return nil
		}, nil)
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() || !retry.Retryable(err) || len(errors.GetAllDetails(err)) == 0 {
		t.Errorf("%v, details %q", err, errors.GetAllDetails(err))
	}
}

func TestStream_KeepsAnIdleConnectionByAsking(t *testing.T) {
	t.Parallel()
	// A server of its own: what other tests write would keep the connection as well.
	uri := pgtest.Start(t, sourceMajor(), map[string]string{"wal_sender_timeout": "0"}).Database(t, published)
	slot := createSlot(t, uri, "idle")
	// A busy machine answers late, but not by seconds.
	const timeout = 10 * time.Second
	var first time.Time
	err := connect(t, uri).Stream(t.Context(),
		source.StreamOptions{Slot: "idle", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: new(source.Positions), PeerTimeout: timeout},
		func(source.LSN, []byte) error { return nil },
		func(source.LSN, bool) error {
			if first.IsZero() {
				first = time.Now()
			}
			if time.Since(first) > timeout*3/2 {
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
