package source_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/source"
)

var errEnough = errors.New("enough")

func TestStream_DeliversInOrderAndResumes(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	slot := createSlot(t, uri, "in_order")
	pgtest.Exec(t, uri, "INSERT INTO t VALUES (1, 'a'), (2, 'b')", "UPDATE t SET data = 'c' WHERE id = 1", "DELETE FROM t WHERE id = 2")
	var positions source.Positions
	for range 2 { // nothing was reported as flushed, so all of it comes again
		var got received
		err := connect(t, uri).Stream(t.Context(), source.StreamOptions{Slot: "in_order", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: &positions},
			func(walStart source.LSN, payload []byte) error {
				_ = got.push(walStart, payload)
				if len(got.kinds) == 11 {
					return errEnough
				}
				return nil
			}, nil)
		if !errors.Is(err, errEnough) || !strings.Contains(err.Error(), `stream slot "in_order" after `) {
			t.Fatal(err)
		}
		if string(got.kinds) != "BRIICBUCBDC" {
			t.Errorf("got %s", got.kinds)
		}
		if positions.Received() <= slot.ConsistentPoint {
			t.Errorf("received %s", positions.Received())
		}
		positions.SetFlushed(0)
		conn := pgtest.Connect(t, uri)
		state, err := source.ReadSlot(t.Context(), conn, "in_order")
		if err != nil || state.Active || state.ConfirmedFlushLSN != slot.ConsistentPoint {
			t.Errorf("after the stream %+v, %v", state, err)
		}
	}
	// What was reported as flushed does not come again.
	var got received
	positions.SetFlushed(positions.Received())
	pgtest.Exec(t, uri, "INSERT INTO t VALUES (9)")
	err := connect(t, uri).Stream(t.Context(), source.StreamOptions{Slot: "in_order", Start: positions.Flushed() + 1, PluginOptions: plain, Positions: &positions},
		func(walStart source.LSN, payload []byte) error {
			_ = got.push(walStart, payload)
			if payload[0] == 'C' {
				return errEnough
			}
			return nil
		}, nil)
	if !errors.Is(err, errEnough) || string(got.kinds) != "BRIC" {
		t.Errorf("resumed with %s, %v", got.kinds, err)
	}
}

func TestStream_LargeMessages(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	slot := createSlot(t, uri, "large")
	pgtest.Exec(t, uri, "INSERT INTO t SELECT i, repeat('x', 6000000 * (i % 2) + i) FROM generate_series(1, 6) i")
	var (
		got       received
		positions source.Positions
	)
	err := connect(t, uri).Stream(t.Context(), source.StreamOptions{Slot: "large", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: &positions},
		func(walStart source.LSN, payload []byte) error {
			if payload[0] == 'I' && strings.Trim(string(payload[len(payload)-1:]), "x") != "" {
				t.Error("a row ends wrong")
			}
			_ = got.push(walStart, payload)
			if payload[0] == 'C' {
				return errEnough
			}
			return nil
		}, nil)
	if !errors.Is(err, errEnough) || got.inserts != 6 || got.largest < 6000000 {
		t.Errorf("%d inserts, the largest %d bytes, %v", got.inserts, got.largest, err)
	}
}

func TestStream_ReportsWhatIsFlushedAndNoMore(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	slot := createSlot(t, uri, "reports")
	conn := pgtest.Connect(t, uri)
	ctx, cancel := context.WithCancel(t.Context())
	var positions source.Positions
	committed := make(chan source.LSN, 10)
	ended := make(chan error)
	c := connect(t, uri)
	go func() {
		ended <- c.Stream(ctx, source.StreamOptions{Slot: "reports", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: &positions},
			func(walStart source.LSN, payload []byte) error {
				var got received
				_ = got.push(walStart, payload)
				if got.end != 0 {
					committed <- got.end
				}
				return nil
			}, nil)
	}()
	confirmed := func() source.LSN {
		state, err := source.ReadSlot(t.Context(), conn, "reports")
		if err != nil {
			t.Fatal(err)
		}
		return state.ConfirmedFlushLSN
	}
	pgtest.Exec(t, uri, "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)")
	first, second := <-committed, <-committed
	if got := confirmed(); got != slot.ConsistentPoint {
		t.Errorf("confirmed %s before anything was flushed", got)
	}
	positions.SetFlushed(first)
	pgtest.Eventually(t, "the first commit is confirmed", func() bool { return confirmed() == first })
	positions.SetApplied(second)
	positions.SetFlushed(first - 1) // never backwards
	pgtest.Eventually(t, "write and apply positions are reported", func() bool {
		row := pgtest.Query(t, uri, "SELECT flush_lsn, replay_lsn, write_lsn >= replay_lsn FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE slot_name = 'reports'")
		return len(row) == 1 && row[0][0] == first.String() && row[0][1] == second.String() && row[0][2] == "t"
	})
	// The last report is made on the way out.
	positions.SetFlushed(second)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := confirmed(); got != second {
		t.Errorf("confirmed %s, want %s", got, second)
	}
}

func TestStream_StaysAliveWhilePushIsBlocked(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	database := pgtest.Query(t, uri, "SELECT current_database()")[0][0]
	pgtest.Exec(t, uri, fmt.Sprintf("ALTER DATABASE %q SET wal_sender_timeout = '5s'", database))
	slot := createSlot(t, uri, "blocked")
	// More than socket buffers hold, so that the server is blocked as well.
	pgtest.Exec(t, uri, "INSERT INTO t SELECT i, repeat('x', 100000) FROM generate_series(1, 300) i")
	var (
		got       received
		positions source.Positions
	)
	const alive = `SELECT reply_time - backend_start > '11 s' FROM pg_stat_replication r
		JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE slot_name = 'blocked'`
	err := connect(t, uri).Stream(t.Context(), source.StreamOptions{Slot: "blocked", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: &positions},
		func(walStart source.LSN, payload []byte) error {
			_ = got.push(walStart, payload)
			switch {
			case got.inserts == 5 && payload[0] == 'I':
				pgtest.Eventually(t, "the server has heard us for twice its timeout", func() bool {
					rows := pgtest.Query(t, uri, alive)
					return len(rows) == 1 && rows[0][0] == "t"
				})
			case payload[0] == 'C':
				return errEnough
			}
			return nil
		}, nil)
	if !errors.Is(err, errEnough) || got.inserts != 300 {
		t.Errorf("%d inserts, %v", got.inserts, err)
	}
}

func TestStream_StartErrorsAreTold(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	createSlot(t, uri, "busy")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	c := connect(t, uri)
	go func() {
		ended <- c.Stream(ctx, source.StreamOptions{Slot: "busy", PluginOptions: plain, Positions: new(source.Positions)}, new(received).push, nil)
	}()
	pgtest.Eventually(t, "the slot is active", func() bool {
		return pgtest.Query(t, uri, "SELECT active FROM pg_replication_slots WHERE slot_name = 'busy'")[0][0] == "t"
	})
	stream := func(slot string, options ...string) error {
		return connect(t, uri).Stream(t.Context(), source.StreamOptions{Slot: slot, PluginOptions: options, Positions: new(source.Positions)}, new(received).push, nil)
	}
	err := stream("busy", plain...)
	if !errors.Is(err, source.ErrSlotActive) || !retry.Retryable(err) || !strings.Contains(err.Error(), `start replication on slot "busy" at 0/0`) {
		t.Errorf("a slot in use: %v", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := stream("none", plain...); !errors.Is(err, source.ErrSlotMissing) || retry.Retryable(err) {
		t.Errorf("no such slot: %v", err)
	}
	var pgErr *pgconn.PgError
	if err := stream("busy", "proto_version '99'", `publication_names '"p"'`); !errors.As(err, &pgErr) || retry.Retryable(err) {
		t.Errorf("a bad option: %v", err)
	}
	if sourceMajor() < 18 { // from 18 on the changes are skipped, with a warning
		pgtest.Exec(t, uri, "INSERT INTO t VALUES (1)")
		err = stream("busy", "proto_version '1'", `publication_names '"none"'`)
		if !errors.As(err, &pgErr) || errors.Is(err, source.ErrSlotMissing) || !strings.Contains(err.Error(), `stream slot "busy" after `) {
			t.Errorf("no such publication: %v", err)
		}
	}
}

func TestStream_TerminatedByAnAdministrator(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	slot := createSlot(t, uri, "ended")
	pgtest.Exec(t, uri, "INSERT INTO t VALUES (1)")
	err := connect(t, uri).Stream(t.Context(), source.StreamOptions{Slot: "ended", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: new(source.Positions)},
		func(_ source.LSN, payload []byte) error {
			if payload[0] == 'C' {
				pgtest.Exec(t, uri, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'ended'")
			}
			return nil
		}, nil)
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "57P01" || !retry.Retryable(err) {
		t.Error(err)
	}
}

func TestStream_LetsTheSourceShutDown(t *testing.T) {
	t.Parallel()
	for _, immediate := range []bool{false, true} {
		server := pgtest.Start(t, sourceMajor(), nil)
		uri := server.URI("postgres")
		pgtest.Exec(t, uri, published)
		slot := createSlot(t, uri, "restarts")
		var positions source.Positions
		ended := make(chan error)
		c := connect(t, uri)
		go func() {
			ended <- c.Stream(t.Context(), source.StreamOptions{Slot: "restarts", Start: slot.ConsistentPoint, PluginOptions: plain, Positions: &positions},
				func(source.LSN, []byte) error { return nil },
				func(walEnd source.LSN, _ bool) error {
					positions.SetFlushed(walEnd)
					return nil
				})
		}()
		pgtest.Exec(t, uri, "INSERT INTO t VALUES (1)", "CREATE TABLE other AS SELECT generate_series(1, 1000)")
		// A fast shutdown returns only after the walsender has seen all flushed;
		// wal_sender_timeout, a minute, would end it otherwise, as would the test's deadline.
		if err := server.Halt(t.Context(), immediate); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !retry.Retryable(err) {
			t.Errorf("immediate %v: %v", immediate, err)
		}
		if err := server.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		state, err := source.ReadSlot(t.Context(), pgtest.Connect(t, uri), "restarts")
		if err != nil || state.ConfirmedFlushLSN < slot.ConsistentPoint {
			t.Errorf("after the restart %+v, %v", state, err)
		}
	}
}

func TestStream_LostSlot(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, sourceMajor(), map[string]string{"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "32MB", "wal_keep_size": "0"})
	uri := server.URI("postgres")
	pgtest.Exec(t, uri, published)
	createSlot(t, uri, "lost")
	pgtest.Eventually(t, "the slot has lost its WAL", func() bool {
		pgtest.Exec(t, uri, "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000)), pg_switch_wal()", "CHECKPOINT")
		return pgtest.Query(t, uri, "SELECT wal_status FROM pg_replication_slots")[0][0] == "lost"
	})
	err := connect(t, uri).Stream(t.Context(), source.StreamOptions{Slot: "lost", PluginOptions: plain, Positions: new(source.Positions)}, new(received).push, nil)
	if !errors.Is(err, source.ErrSlotLost) || retry.Retryable(err) || !strings.Contains(errors.FlattenHints(err), "new snapshot") {
		t.Errorf("%v\nhint: %s", err, errors.FlattenHints(err))
	}
}
