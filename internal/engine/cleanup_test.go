package engine_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

const everything = `SELECT string_agg(o, ' ' ORDER BY o) FROM (
	SELECT 'slot ' || slot_name o FROM pg_replication_slots WHERE database = current_database()
	UNION ALL SELECT 'publication ' || pubname FROM pg_publication
	UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
	UNION ALL SELECT 'table ' || oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) s`

// TestCleanup_TouchesNothingElse removes exactly what the migration made: with its target,
// and by name when the target is gone.
func TestCleanup_TouchesNothingElse(t *testing.T) {
	p := smallPair(t, `CREATE SCHEMA walferry_of_somebody`, `CREATE PUBLICATION walferry_other FOR TABLE parent`,
		`CREATE PUBLICATION theirs FOR TABLE child`, `SELECT pg_create_logical_replication_slot(left('walferry_mine_' || current_database(), 60), 'pgoutput')`)
	pgtest.Exec(t, p.target, `CREATE SCHEMA other`, `CREATE PUBLICATION walferry_default_x`)
	source, target := pgtest.Query(t, p.source, everything)[0][0], pgtest.Query(t, p.target, everything)[0][0]

	p.caughtUp(t)
	run(t, 0, p.args("migrate", "--name", "second", "--no-schema", "--if-not-empty", "truncate", "--max-replication-lag", "0")...)
	run(t, 0, p.args("cleanup", "--yes", "--restore")...)
	left := pgtest.Query(t, p.source, everything)[0][0]
	if strings.Contains(left, "walferry_default") || !strings.Contains(left, "slot walferry_second") {
		t.Errorf("after the cleanup of one of two migrations: %s", left)
	}
	run(t, 0, p.args("cleanup", "--yes", "--restore", "--name", "second")...)
	if now := pgtest.Query(t, p.source, everything)[0][0]; now != source {
		t.Errorf("the source had\n%s\nand has\n%s", source, now)
	}
	now := pgtest.Query(t, p.target, everything)[0][0]
	// The source's own schema and publication have moved with the tables.
	const moved = "publication theirs publication walferry_default_x schema other schema public schema walferry_of_somebody table child table parent"
	if now != moved {
		t.Errorf("the target had\n%s\nand has\n%s", target, now)
	}

	// The target is gone.
	p.target = pgtest.Server(t, targetMajor()).Database(t)
	p.caughtUp(t)
	p.target = pgtest.Server(t, targetMajor()).Database(t)
	m := run(t, 0, "cleanup", "-s", p.source, "--yes")
	m.says("dropped replication slot walferry_default_", "dropped publication walferry_default_")
	if now := pgtest.Query(t, p.source, everything)[0][0]; now != source {
		t.Errorf("the source had\n%s\nand has\n%s", source, now)
	}
	run(t, 1, "cleanup", "-s", p.source, "--yes").says("has nothing of a migration")
	run(t, 1, p.args("cleanup", "--yes")...).says("holds no migration")
}

// TestCleanup_OpensTheSource gives up a migration whose cutover was killed before it decided.
func TestCleanup_OpensTheSource(t *testing.T) {
	p := smallPair(t)
	p.caughtUp(t)
	s := stopper{t, t.TempDir()}
	m := start(t, p.args("cutover", s.before("drain")...)...)
	s.reached(m)
	m.kill()
	s.release()
	if !refuses(t, p.source) {
		t.Fatal("the source is not closed")
	}
	run(t, 0, p.args("cleanup", "--yes", "--restore")...).says("what closed database")
	if refuses(t, p.source) {
		t.Error("the source is still closed")
	}
	p.nothingLeft(t)
}

func targetMajor() int {
	_, to := pgtest.Majors()
	return to
}
