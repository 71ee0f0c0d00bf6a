package target_test

import (
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/target"
)

func TestUseMemory(t *testing.T) {
	t.Parallel()
	_, major := pgtest.Majors()
	uri := pgtest.Server(t, major).Database(t)
	for _, c := range []struct {
		before  string
		jobs    int
		memory  string // expression
		workers string
	}{
		{"SET maintenance_work_mem = '1MB'", 2, "pg_size_bytes(current_setting('shared_buffers')) / 4", "2"},
		{"SET maintenance_work_mem = '1MB'", 8, "pg_size_bytes(current_setting('shared_buffers')) / 16", "1"},
		{"SET maintenance_work_mem = '2GB'", 2, "2::bigint << 30", "2"},
		{"SET max_parallel_maintenance_workers = 0", 1, "greatest(64 << 20, pg_size_bytes(current_setting('shared_buffers')) / 2)", "0"},
	} {
		conn := pgtest.Connect(t, uri)
		if _, err := conn.Exec(t.Context(), c.before); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "SET max_parallel_workers = 8"); err != nil {
			t.Fatal(err)
		}
		if err := target.UseMemory(t.Context(), conn, c.jobs); err != nil {
			t.Fatal(err)
		}
		var enough bool
		var workers string
		err := conn.QueryRow(t.Context(), "SELECT pg_size_bytes(current_setting('maintenance_work_mem')) = "+c.memory+
			", current_setting('max_parallel_maintenance_workers')").Scan(&enough, &workers)
		if err != nil || !enough || workers != c.workers {
			t.Errorf("%s, %d jobs: %v, the memory is as it should be: %v, %s workers, want %s", c.before, c.jobs, err, enough, workers, c.workers)
		}
	}
}
