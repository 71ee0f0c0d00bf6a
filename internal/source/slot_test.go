package source_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/source"
)

func TestIdentifySystem(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t)
	c := connect(t, uri)
	got, err := c.IdentifySystem(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	row := pgtest.Query(t, uri, "SELECT system_identifier, current_database() FROM pg_control_system()")[0]
	if got.SystemID != row[0] || got.Database != row[1] || got.Timeline != 1 || got.XLogPos == 0 {
		t.Errorf("got %+v, want %v", got, row)
	}
	if c.ServerMajor() != sourceMajor() {
		t.Errorf("major %d", c.ServerMajor())
	}
}

func TestCreateSlot_ExportsItsSnapshot(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published, "INSERT INTO t VALUES (1)")
	c := connect(t, uri)
	slot, err := c.CreateSlot(t.Context(), "exports", source.SlotOptions{Export: true, Temporary: true})
	if err != nil {
		t.Fatal(err)
	}
	if slot.Name != "exports" || slot.ConsistentPoint == 0 || slot.SnapshotName == "" {
		t.Fatalf("got %+v", slot)
	}
	pgtest.Exec(t, uri, "INSERT INTO t VALUES (2)")
	conn := pgtest.Connect(t, uri)
	var rows int
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET TRANSACTION SNAPSHOT '" + slot.SnapshotName + "'"} {
		if _, err := tx.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	c.Close(t.Context())
	pgtest.Eventually(t, "the temporary slot is gone", func() bool {
		return len(pgtest.Query(t, uri, "SELECT FROM pg_replication_slots WHERE slot_name = 'exports'")) == 0
	})
}

func TestSlot_ErrorsAreTold(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t)
	c := connect(t, uri)
	slot, err := c.CreateSlot(t.Context(), "twice", source.SlotOptions{})
	if err != nil || slot.SnapshotName != "" {
		t.Fatalf("%+v, %v", slot, err)
	}
	if _, err = c.CreateSlot(t.Context(), "twice", source.SlotOptions{}); !errors.Is(err, source.ErrSlotExists) || retry.Retryable(err) {
		t.Errorf("created twice: %v", err)
	}
	if _, err = c.CreateSlot(t.Context(), `No"Name`, source.SlotOptions{}); err == nil || !strings.Contains(err.Error(), `create replication slot "No\"Name"`) {
		t.Errorf("a bad name: %v", err)
	}
	conn := pgtest.Connect(t, uri)
	state, err := source.ReadSlot(t.Context(), conn, "twice")
	if err != nil || state.Plugin != "pgoutput" || state.Active || state.Lost() || state.ConfirmedFlushLSN != slot.ConsistentPoint || state.WALStatus != "reserved" {
		t.Errorf("state %+v, %v", state, err)
	}
	if _, err = source.ReadSlot(t.Context(), conn, "none"); !errors.Is(err, source.ErrSlotMissing) {
		t.Errorf("read what is not there: %v", err)
	}
}

func TestCreateSlot_NamesWhatTheServerLacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings      map[string]string
		message, hint string
	}{
		{map[string]string{"wal_level": "replica"}, "55000", "wal_level = logical"},
		{map[string]string{"max_replication_slots": "1"}, "53400", "max_replication_slots"},
	} {
		server := pgtest.Start(t, sourceMajor(), c.settings)
		conn := connect(t, server.URI("postgres"))
		_, err := conn.CreateSlot(t.Context(), "a", source.SlotOptions{Temporary: true})
		if err == nil {
			_, err = conn.CreateSlot(t.Context(), "b", source.SlotOptions{Temporary: true})
		}
		if err == nil || !strings.Contains(err.Error(), c.message) || !strings.Contains(errors.FlattenHints(err), c.hint) {
			t.Errorf("%v: %v\nhint: %s", c.settings, err, errors.FlattenHints(err))
		}
	}
}

// logBuffer is a log that a test reads while it is being written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestCreateSlot_TellsWhoItWaitsForAndLeavesNothing(t *testing.T) {
	t.Parallel()
	// A server of its own: the wait is for the transactions of all databases.
	uri := pgtest.Start(t, sourceMajor(), nil).URI("postgres")
	pgtest.Exec(t, uri, published)
	writer := pgtest.Connect(t, uri)
	if _, err := writer.Exec(t.Context(), "BEGIN; INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	info, err := conninfo.Parse("source", uri)
	if err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	c, err := source.Connect(t.Context(), info, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	created := make(chan error)
	go func() {
		_, err := c.CreateSlot(ctx, "waits", source.SlotOptions{})
		created <- err
	}()
	pgtest.Eventually(t, "the log names the writer", func() bool {
		var pid string
		for _, row := range pgtest.Query(t, uri, "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'") {
			pid = row[0]
		}
		return strings.Contains(log.String(), "pids=["+pid+"]")
	})
	cancel()
	if err := <-created; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `"waits"`) {
		t.Errorf("got %v", err)
	}
	if slots := pgtest.Query(t, uri, "SELECT slot_name FROM pg_replication_slots"); len(slots) != 0 {
		t.Errorf("left behind: %v", slots)
	}
	// The connection is still good, and the slot comes once the writer is done.
	if _, err := writer.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateSlot(t.Context(), "waits", source.SlotOptions{}); err != nil {
		t.Error(err)
	}
}
