package engine_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
)

// simplePair is a source with the given objects and an empty target.
func simplePair(t *testing.T, statements ...string) pair {
	t.Helper()
	from, to := pgtest.Majors()
	return pair{source: pgtest.Server(t, from).Database(t, statements...), target: pgtest.Start(t, to, nil).Database(t)}
}

const numbers = `CREATE TABLE numbers (id bigserial PRIMARY KEY, note text);
	INSERT INTO numbers (note) SELECT repeat('x', 100) FROM generate_series(1, 300000)`

// TestEndToEnd_LagIsJudgedOnCopiedAndApplied is the reference tool's "done" with
// no row: asked to stop at lag 0, walferry ends only when all is there.
func TestEndToEnd_LagIsJudgedOnCopiedAndApplied(t *testing.T) {
	t.Parallel()
	p := simplePair(t, numbers)
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM numbers`)[0][0]; got != "300000" {
		t.Errorf("the target holds %s rows", got)
	}
	pgtest.Exec(t, p.target, `INSERT INTO numbers (note) VALUES ('the sequence goes on')`)
	p.nothingLeft(t)
}

// TestEndToEnd_LagAlone ends in sync, leaves the objects, and goes on next time.
func TestEndToEnd_LagAlone(t *testing.T) {
	t.Parallel()
	p := simplePair(t, numbers)
	run(t, 0, p.args("migrate", "--max-replication-lag", "0")...)
	pgtest.Compare(t, p.source, p.target)
	if got := pgtest.Query(t, p.source, `SELECT count(*) FROM pg_replication_slots WHERE database = current_database()`)[0][0]; got != "1" {
		t.Errorf("%s slots are left, want 1", got)
	}
	pgtest.Exec(t, p.source, `UPDATE numbers SET note = 'y' WHERE id % 7 = 0; DELETE FROM numbers WHERE id % 11 = 0`)
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
}

// TestEndToEnd_StoppedInTheCopy is a SIGINT while a table is copied: exit 3, and the same command goes on.
func TestEndToEnd_StoppedInTheCopy(t *testing.T) {
	t.Parallel()
	p := simplePair(t, numbers)
	m := start(t, p.args("migrate", "--log-level", "debug")...)
	pgtest.Eventually(t, "the copy begins", func() bool { return p.phase(t) == "copying" })
	m.signal(syscall.SIGINT)
	m.wait(3)
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
}

// TestEndToEnd_RewrittenBeforeItIsCopied: what an ALTER TABLE hides from the slot's snapshot
// comes from another one, and what was dropped is not missed.
func TestEndToEnd_RewrittenBeforeItIsCopied(t *testing.T) {
	t.Parallel()
	const tables = `CREATE TABLE numbers (id bigint PRIMARY KEY, note text); CREATE TABLE altered (id int PRIMARY KEY, v text);
		CREATE TABLE dropped (id int PRIMARY KEY); CREATE TABLE small (id int PRIMARY KEY)`
	p := simplePair(t, tables, `INSERT INTO numbers SELECT i, repeat('x', 100) FROM generate_series(1, 10000) i;
		INSERT INTO altered SELECT i, 'early' FROM generate_series(1, 500) i; INSERT INTO small VALUES (1)`)
	pgtest.Exec(t, p.target, tables)
	locker := pgtest.Connect(t, p.target)
	if _, err := locker.Exec(t.Context(), `BEGIN; LOCK TABLE numbers IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	m := start(t, p.args("migrate", "--no-schema", "-j", "1", "--max-replication-lag", "0")...)
	pgtest.Eventually(t, "the largest table waits for the lock", func() bool {
		return m.running() && pgtest.Query(t, p.target, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'COPY "public"."numbers"%'`)[0][0] != "0"
	})
	pgtest.Exec(t, p.source, `UPDATE altered SET v = 'later' WHERE id % 2 = 0`, `ALTER TABLE altered ALTER v TYPE varchar(9)`,
		`DELETE FROM altered WHERE id % 3 = 0`, `DROP TABLE dropped`)
	if err := locker.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.wait(0)
	if got := m.Stderr.String(); !strings.Contains(got, "the rest is copied from a new snapshot") {
		t.Errorf("it says:\n%s", got)
	}
	if n := pgtest.Query(t, p.target, `SELECT count(DISTINCT watermark) FROM walferry."table" WHERE name IN ('numbers', 'small')`)[0][0]; n != "1" {
		t.Errorf("the other tables were copied from %s snapshots", n)
	}
	pgtest.Exec(t, p.target, `DROP TABLE dropped`)
	run(t, 0, p.args("migrate", "--no-schema", "--max-replication-lag", "0", "--stop-replication")...)
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
}

// TestEndToEnd_RowsOnTheTarget refuses, replaces or keeps them, as told.
func TestEndToEnd_RowsOnTheTarget(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)`)
	pgtest.Exec(t, p.target, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)`)
	run(t, 2, p.args("migrate", "--no-schema")...)
	p.nothingLeft(t)
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM pg_namespace WHERE nspname = 'walferry'`)[0][0]; got != "0" {
		t.Error("a refused migration left the schema walferry")
	}
	run(t, 0, p.args("migrate", "--no-schema", "--if-not-empty", "append", "--max-replication-lag", "0", "--stop-replication")...)
	if got := pgtest.Query(t, p.target, `SELECT string_agg(id::text, ' ' ORDER BY id) FROM t`)[0][0]; got != "1 2 7" {
		t.Errorf("rows after append: %s", got)
	}
	run(t, 0, p.args("cleanup", "--yes")...)
	run(t, 0, p.args("migrate", "--no-schema", "--if-not-empty", "truncate", "--max-replication-lag", "0", "--stop-replication")...)
	pgtest.Compare(t, p.source, p.target)
}
