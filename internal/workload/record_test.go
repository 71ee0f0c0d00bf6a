package workload_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// TestRecord_ReplaysExactly runs a recorded history on another copy of the database.
func TestRecord_ReplaysExactly(t *testing.T) {
	t.Parallel()
	const schema = `CREATE TABLE a (id serial PRIMARY KEY, u int UNIQUE, t text, n numeric);
		CREATE TABLE b (a int REFERENCES a ON DELETE CASCADE, t text, f float8);
		CREATE TABLE c (k int, v text, PRIMARY KEY (k)) PARTITION BY HASH (k);
		CREATE TABLE c0 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE c1 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		ALTER TABLE b REPLICA IDENTITY FULL`
	server := pgtest.Server(t, 15)
	one := server.Database(t, schema)
	g := workload.New(one, workload.Options{Seed: 3, Sessions: 3, LargeEvery: 20, LargeRows: 200, Truncate: true, Prepare: true})
	h, err := g.Record(t.Context(), 150)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	other := server.Database(t, schema)
	failed, err := h.Replay(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	// What failed when it was recorded fails again; of that, reads are not recorded.
	stats := g.Stats()
	if int64(failed) > stats.Violations+stats.Serializations || failed == 0 {
		t.Errorf("%d statements failed, %+v when they were recorded", failed, stats)
	}
	pgtest.Compare(t, one, other)
	if len(h.Transactions()) < 150 || strings.Contains(h.String(), "random()") {
		t.Errorf("the history has %d transactions:\n%s", len(h.Transactions()), h)
	}
	// Any part of it can be run.
	if _, err := h.Without(map[int]bool{h.Transactions()[0]: true, 17: true}).Replay(t.Context(), server.Database(t, schema)); err != nil {
		t.Fatal(err)
	}
}
