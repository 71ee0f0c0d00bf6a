package engine_test

import (
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// TestEndToEnd_FewRights migrates under load to a role that owns the target
// database and is nothing else: no superuser, no session_replication_role. It is
// killed in the stream. Without TRUNCATE, every change must find its row.
func TestEndToEnd_FewRights(t *testing.T) {
	p := newPair(t, 4)
	pgtest.Exec(t, p.target, `CREATE ROLE mover LOGIN`,
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO mover', current_database()); END $$`,
		`ALTER SCHEMA public OWNER TO mover`)
	admin := p.target
	p.target = pgtest.As(t, p.target, "mover")
	if got := pgtest.Query(t, p.target, `SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user`); got[0][0] != "false" {
		t.Fatalf("the target's role is a superuser: %v", got)
	}
	w := p.write(t, workload.Options{Seed: 2, Sessions: 4})
	w.committed(50)

	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "transactions are applied", func() bool {
		if !m.running() {
			t.Fatal("walferry ended in the stream")
		}
		n := p.applied(t)
		return n != "" && n != "0"
	})
	if rung := p.ask(t, `SELECT rung FROM walferry.migration`); rung != "take_down" {
		t.Errorf("rung is %q", rung)
	}
	m.kill()
	w.committed(200)
	w.stop()
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	if missed := p.ask(t, missedRows); missed != "" {
		t.Errorf("changes that found no row: %s", missed)
	}
	p.target = admin
	p.finished(t)
}

const missedRows = `SELECT coalesce(string_agg(name || ' ' || missed_updates || ' ' || missed_deletes, ', '), '')
	FROM walferry."table" WHERE missed_updates + missed_deletes > 0`
