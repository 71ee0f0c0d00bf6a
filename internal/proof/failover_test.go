package proof_test

import (
	"maps"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// on is the scene with another server as its source.
func (s scene) on(t *testing.T, source *pgtest.Cluster) scene {
	t.Helper()
	u, err := url.Parse(s.source)
	if err != nil {
		t.Fatal(err)
	}
	s.source = source.URI(strings.TrimPrefix(u.Path, "/"))
	return s
}

// promote ends a standby's recovery; its primary must be gone.
func promote(t *testing.T, standby *pgtest.Cluster) {
	t.Helper()
	pgtest.Exec(t, standby.URI("postgres"), "SELECT pg_promote()")
}

// refused fails the test unless walferry ends with an error that names what is wanted.
func refused(t *testing.T, s scene, want ...string) {
	t.Helper()
	m := walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...)
	mustExit(t, m, 1)
	for _, text := range append(want, "walferry: error:", "walferry: hint:") {
		if !strings.Contains(m.Stderr.String(), text) {
			t.Errorf("the error does not say %q:\n%s", text, m.Stderr.String())
		}
	}
}

const lostChanges = "the source has lost changes that the target holds"

// fillPast writes log until the source's is past an LSN.
func fillPast(t *testing.T, uri, lsn string) {
	t.Helper()
	pgtest.Exec(t, uri, "CREATE TABLE public.filler (t text)")
	pgtest.Eventually(t, "the source's log is past "+lsn, func() bool {
		pgtest.Exec(t, uri, `INSERT INTO public.filler SELECT repeat(md5(i::text), 30) FROM generate_series(1, 1000) i`)
		return pgtest.Query(t, uri, `SELECT pg_current_wal_flush_lsn() > $1::pg_lsn`, lsn)[0][0] == "t"
	})
}

// TestFailover_StandbyTakesOver crashes a source whose standby keeps a copy of the
// slot, and goes on from that.
func TestFailover_StandbyTakesOver(t *testing.T) {
	from, _ := pgtest.Majors()
	if from < 17 {
		t.Setenv("WALFERRY_TEST_SOURCE", "17")
		t.Setenv("WALFERRY_TEST_TARGET", "17")
	}
	primary := map[string]string{"synchronized_standby_slots": "standby"}
	maps.Copy(primary, crashSettings)
	servers := newServers(t, primary, nil)
	s := servers.scene(t)
	dsn := servers.source.URI("postgres")
	standby := servers.source.Standby(t, map[string]string{"primary_conninfo": dsn, "synchronized_standby_slots": ""})
	after := s.on(t, standby)
	w := s.write(t, workload.Options{Seed: *seed, Sessions: 2, Truncate: true, Prepare: true})
	stopWatch := s.watch(t, false)
	m := walferry(t, "", s.args("migrate")...)
	pgtest.Eventually(t, "the stream has begun", func() bool { return !m.Running() || s.streams(t) })
	w.committed(50)
	// Not before: it would look again half a minute after it has found no slot.
	pgtest.Exec(t, standby.URI("postgres"), "ALTER SYSTEM SET sync_replication_slots = on", "SELECT pg_reload_conf()")
	pgtest.Eventually(t, "the standby has the slot", func() bool {
		pgtest.Exec(t, dsn, "SELECT pg_log_standby_snapshot()") // a slot moves on at those, of which there is one in 15 s
		return len(pgtest.Query(t, standby.URI("postgres"), `SELECT FROM pg_replication_slots WHERE synced AND NOT temporary AND invalidation_reason IS NULL`)) == 1
	})
	w.committed(50)
	// The application fails over too: what it saw committed may be lost with the primary.
	w.halt()
	if err := servers.source.Halt(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := m.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.Wait() // stopped, or it gave up the source
	promote(t, standby)
	w = after.write(t, workload.Options{Seed: *seed + 1, Sessions: 2, Truncate: true, Prepare: true})
	m = walferry(t, "", after.args("migrate")...)
	before := s.checkpoint(t)
	pgtest.Eventually(t, "it goes on", func() bool { return !m.Running() || s.checkpoint(t) != before })
	w.committed(50)
	w.stop()
	if err := m.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	mustExit(t, m, 3)
	stopWatch()
	// The old primary comes back: what it has is another history by now.
	if err := servers.source.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, s, lostChanges)
	finishMigration(t, after)
	after.equal(t, true)
}

// TestZombies_StandbyBehind promotes a standby that lacks what the target holds, and
// a slot is made on it by hand, so that nothing but the history tells.
func TestZombies_StandbyBehind(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	s := servers.scene(t)
	standby := servers.source.Standby(t, nil) // before there is a slot, which no base backup has
	after := s.on(t, standby)
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	caughtUp := pgtest.CurrentLSN(t, s.source)
	pgtest.Eventually(t, "the standby has caught up", func() bool {
		return pgtest.Query(t, after.source, `SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn`, caughtUp.String())[0][0] == "t"
	})
	if err := standby.Halt(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s.happen(t)
	fillPast(t, s.source, pgtest.CurrentLSN(t, s.source).String())
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	if err := servers.source.Halt(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := standby.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	promote(t, standby)
	refused(t, after, "slot", "does not exist")
	slot := pgtest.Query(t, s.target, "SELECT slot FROM walferry.migration")[0][0]
	pgtest.Query(t, after.source, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", slot)
	refused(t, after, lostChanges)
	pgtest.Exec(t, after.source, "UPDATE witness.counter SET n = n + 1; INSERT INTO witness.trail SELECT max(n) FROM witness.counter")
	fillPast(t, after.source, s.checkpoint(t))
	refused(t, after, lostChanges)
}

// TestZombies_SourceFromItsDisks puts the source back to a copy of its disks, slot
// included.
func TestZombies_SourceFromItsDisks(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	s := servers.scene(t)
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	backup := servers.source.Copy(t, nil)
	after := s.on(t, backup)
	s.happen(t)
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	pgtest.Exec(t, after.source, "UPDATE witness.counter SET n = n + 1; INSERT INTO witness.trail SELECT max(n) FROM witness.counter")
	refused(t, after, lostChanges)
	finishMigration(t, s)
	s.equal(t, true)
}
