package proof_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// TestServers_TargetForgetsWhatItHasNotFlushed crashes a target that flushes its log
// late, while a backlog is applied: what the slot has let go must be there.
func TestServers_TargetForgetsWhatItHasNotFlushed(t *testing.T) {
	// Nothing but a commit that waits for the disk writes the log: there is room for all of it,
	// and for the rows' pages, which take it with them; and the process that writes it is stopped.
	servers := newServers(t, crashSettings, map[string]string{
		"wal_buffers": "256MB", "shared_buffers": "1GB", "bgwriter_lru_maxpages": "0", "checkpoint_timeout": "1h", "max_wal_size": "4GB",
	})
	s := servers.scene(t)
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	for range 2 + *long {
		// Several batches, of which none but the last need wait for the disk.
		pgtest.Exec(t, s.source, `DO $$ BEGIN FOR i IN 1..120 LOOP
			UPDATE witness.counter SET n = n + 1; INSERT INTO witness.trail SELECT max(n) FROM witness.counter;
			INSERT INTO events.wide SELECT max(n) + 1000, repeat('y', 1000000) FROM witness.counter; COMMIT; END LOOP; END $$`)
		pid, err := strconv.Atoi(pgtest.Query(t, s.target, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")[0][0])
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		before := s.confirmed(t)
		seen := map[string]bool{s.checkpoint(t): true}
		m := walferry(t, "", s.args("migrate")...)
		// Not before: a position that the source was not told of cannot be wrong.
		pgtest.Eventually(t, "some of it is applied, and the source has heard of something", func() bool {
			seen[s.checkpoint(t)] = true
			return len(seen) > 3 && s.confirmed(t) != before || !m.Running()
		})
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil { // one that is stopped is waited for
			t.Fatal(err)
		}
		if err := servers.target.Restart(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		confirmed := s.confirmed(t)
		if kept := s.checkpoint(t); pgtest.Query(t, s.source, `SELECT $1::pg_lsn > $2::pg_lsn`, confirmed, kept)[0][0] == "t" {
			t.Errorf("the slot has let go of what is before %s, the target remembers what is before %s", confirmed, kept)
		}
	}
	finishMigration(t, s)
	s.equal(t, true)
}

// confirmed is the position up to which the source believes that the target has everything.
func (s scene) confirmed(t *testing.T) string {
	t.Helper()
	return pgtest.Query(t, s.source, `SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE database = current_database()`)[0][0]
}

// checkpoint is the position up to which the target has everything.
func (s scene) checkpoint(t *testing.T) string {
	t.Helper()
	return pgtest.Query(t, s.target, `SELECT min(lsn) FROM walferry.checkpoint`)[0][0]
}

// TestServers_SlotLost runs against a slot that the source has given up.
func TestServers_SlotLost(t *testing.T) {
	servers := newServers(t, map[string]string{"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "48MB"}, nil)
	s := servers.scene(t)
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	pgtest.Eventually(t, "the slot is lost", func() bool {
		pgtest.Exec(t, s.source, `CREATE TABLE IF NOT EXISTS public.filler (t text)`,
			`INSERT INTO public.filler SELECT repeat(md5(i::text), 30) FROM generate_series(1, 20000) i`, "CHECKPOINT")
		return pgtest.Query(t, s.source, `SELECT wal_status FROM pg_replication_slots WHERE database = current_database()`)[0][0] == "lost"
	})
	m := walferry(t, "", s.args("migrate")...)
	mustExit(t, m, 1)
	for _, want := range []string{"walferry: error:", "walferry_default_", "max_slot_wal_keep_size", "walferry: hint:", "walferry cleanup"} {
		if !strings.Contains(m.Stderr.String(), want) {
			t.Errorf("the error does not say %q:\n%s", want, m.Stderr.String())
		}
	}
}

// TestZombies_AnOldInstanceWakesUp stops an instance at a place, has another one take
// over, and wakes the first.
func TestZombies_AnOldInstanceWakesUp(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	for _, place := range []string{"apply: before a batch is written", "apply: before the checkpoint", "apply: committed"} {
		t.Run(place, func(t *testing.T) {
			s := servers.scene(t)
			mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
			w := s.write(t, workload.Options{Seed: *seed, Sessions: 2})
			stopWatch := s.watch(t, false)
			old := walferry(t, place+"=stop@3", s.args("migrate")...)
			pgtest.Eventually(t, "the old instance is stopped", func() bool { return stopped(old.Cmd.Process.Pid) })
			w.committed(10)
			// What the network does to its session that holds the lock, and to one that writes.
			pgtest.Exec(t, s.target, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
				`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database() AND application_name LIKE 'walferry%'`)
			// The source ends the old instance's stream when the new one asks for the slot? It does not: it is still held.
			pgtest.Exec(t, s.source, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND database = current_database()`)
			m := walferry(t, "", s.args("migrate")...)
			before := s.checkpoint(t)
			pgtest.Eventually(t, "the new instance applies", func() bool { return s.checkpoint(t) != before })
			if err := old.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			mustExit(t, old, 1)
			w.committed(10)
			w.stop()
			if err := m.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			mustExit(t, m, 3)
			stopWatch()
			finishMigration(t, s)
			s.equal(t, true)
		})
	}
}

// TestZombies_RestoredTarget puts the target back to an earlier state, as a backup does.
func TestZombies_RestoredTarget(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	s := servers.scene(t)
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	name := pgtest.Query(t, s.target, "SELECT current_database()")[0][0]
	backup := scene{source: s.source, target: servers.target.Database(t), servers: servers}
	kept := pgtest.Query(t, backup.target, "SELECT current_database()")[0][0]
	pgtest.Exec(t, servers.target.URI("postgres"), fmt.Sprintf("DROP DATABASE %q", kept), fmt.Sprintf("CREATE DATABASE %q TEMPLATE %q", kept, name))
	pgtest.Exec(t, s.source, "UPDATE witness.counter SET n = n + 1; INSERT INTO witness.trail VALUES (1)")
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	// The slot has let go of what the backup does not have.
	m := walferry(t, "", backup.args("migrate", "--max-replication-lag", "0")...)
	mustExit(t, m, 1)
	for _, want := range []string{"slot", "checkpoint", "walferry: hint:"} {
		if !strings.Contains(m.Stderr.String(), want) {
			t.Errorf("the error does not say %q:\n%s", want, m.Stderr.String())
		}
	}
	finishMigration(t, s)
	s.equal(t, true)
}
