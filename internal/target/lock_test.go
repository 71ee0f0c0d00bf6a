package target_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/target"
)

// TestLock refuses a second holder and says who the first is; another migration is free.
func TestLock(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, 15).Database(t)
	first, second := connect(t, uri), connect(t, uri)
	if h, err := target.Locked(t.Context(), second, "a"); err != nil || h != nil {
		t.Errorf("before: %v, %v", h, err)
	}
	if err := target.Lock(t.Context(), first, "a", 0); err != nil {
		t.Fatal(err)
	}
	err := target.Lock(t.Context(), second, "a", time.Millisecond)
	if !errors.Is(err, target.ErrLocked) || !strings.Contains(errors.FlattenDetails(err), "server process") {
		t.Errorf("second: %v, detail %q", err, errors.FlattenDetails(err))
	}
	h, err := target.Locked(t.Context(), second, "a")
	if err != nil || h == nil || h.PID != int32(first.PgConn().PID()) {
		t.Errorf("holder %+v, %v", h, err)
	}
	if err := target.Lock(t.Context(), second, "b", 0); err != nil {
		t.Errorf("another migration: %v", err)
	}
}

// TestBeginEpoch fences: a run that another one has replaced cannot write its checkpoint.
func TestBeginEpoch(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, 15).Database(t)
	old, taking := connect(t, uri), connect(t, uri)
	m := migration(t, old, "default")
	epoch, err := target.BeginEpoch(t.Context(), old, m.Name, "migrate", "somebody")
	if err != nil {
		t.Fatal(err)
	}
	if err := target.StartCheckpoint(t.Context(), old, m.Name, epoch, 100); err != nil {
		t.Fatal(err)
	}
	stale := target.Checkpointer{Migration: m.Name, Epoch: epoch}
	if err := save(t, old, stale, applier.Checkpoint{EndLSN: 200}); err != nil {
		t.Fatal(err)
	}
	newer, err := target.BeginEpoch(t.Context(), taking, m.Name, "migrate", "somebody")
	if err != nil || newer <= epoch {
		t.Fatalf("epoch %d after %d, %v", newer, epoch, err)
	}
	if err := save(t, old, stale, applier.Checkpoint{EndLSN: 300}); !errors.Is(err, applier.ErrFenced) {
		t.Errorf("the replaced run: %v", err)
	}
	c, err := target.LoadCheckpoint(t.Context(), taking, m.Name)
	if err != nil || c.LSN != 200 {
		t.Errorf("checkpoint %+v, %v", c, err)
	}
}
