package engine_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/status"
)

// streamPair has the same table on both sides, a publication and a slot.
func streamPair(t *testing.T, table string) pair {
	t.Helper()
	p := simplePair(t, table)
	pgtest.Exec(t, p.source, `CREATE PUBLICATION pub FOR ALL TABLES`,
		`SELECT pg_create_logical_replication_slot(current_database() || '_s', 'pgoutput')`)
	pgtest.Exec(t, p.target, table)
	return p
}

func (p pair) slot(t *testing.T) string {
	t.Helper()
	return pgtest.Query(t, p.source, `SELECT slot_name FROM pg_replication_slots WHERE database = current_database()`)[0][0]
}

func (p pair) lsn(t *testing.T) string {
	t.Helper()
	return pgtest.Query(t, p.source, `SELECT pg_current_wal_insert_lsn()`)[0][0]
}

// TestEndToEnd_StreamToAnEnd applies an existing slot up to --endpos, and goes on
// from the checkpoint with the same command.
func TestEndToEnd_StreamToAnEnd(t *testing.T) {
	t.Parallel()
	p := streamPair(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	pgtest.Exec(t, p.source, `INSERT INTO t SELECT i, 'a' FROM generate_series(1, 1000) i`)
	end := p.lsn(t)
	pgtest.Exec(t, p.source, `INSERT INTO t VALUES (2000, 'after the end')`)
	args := p.args("stream", "--slot", p.slot(t), "--publication", "pub")
	run(t, 0, append(args, "--endpos", end)...)
	if got := pgtest.Query(t, p.target, `SELECT count(*), max(id) FROM t`)[0]; strings.Join(got, " ") != "1000 1000" {
		t.Errorf("rows at the end: %v", got)
	}
	pgtest.Exec(t, p.source, `UPDATE t SET id = id + 10000, v = 'b' WHERE id <= 500; DELETE FROM t WHERE id BETWEEN 600 AND 700`)
	run(t, 0, append(args, "--endpos", p.lsn(t))...)
	pgtest.Compare(t, p.source, p.target)
	if slot := p.slot(t); slot == "" {
		t.Error("the slot, which is not walferry's, is gone")
	}
	run(t, 0, p.args("cleanup", "--yes")...)
	if slot := p.slot(t); slot == "" {
		t.Error("cleanup dropped a slot that is not walferry's")
	}
}

// TestEndToEnd_StreamCreatesTheSlot with --create-slot, goes on with it, refuses to
// make it anew behind a checkpoint, and cleans it up.
func TestEndToEnd_StreamCreatesTheSlot(t *testing.T) {
	t.Parallel()
	const table = `CREATE TABLE t (id int PRIMARY KEY, v text)`
	p := simplePair(t, table, `CREATE PUBLICATION pub FOR TABLE t`)
	pgtest.Exec(t, p.target, table)
	args := p.args("stream", "--slot", "made_"+pgtest.Query(t, p.source, `SELECT oid FROM pg_database WHERE datname = current_database()`)[0][0],
		"--publication", "pub", "--create-slot")
	m := start(t, args...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	pgtest.Exec(t, p.source, `INSERT INTO t VALUES (1, 'a')`)
	pgtest.Eventually(t, "the row arrives", func() bool { return pgtest.Query(t, p.target, `SELECT count(*) FROM t`)[0][0] == "1" })
	m.signal(syscall.SIGINT)
	m.wait(3)
	pgtest.Exec(t, p.source, `INSERT INTO t VALUES (2, 'b')`)
	run(t, 0, append(args, "--endpos", p.lsn(t))...)
	pgtest.Compare(t, p.source, p.target)
	pgtest.Exec(t, p.source, `SELECT pg_drop_replication_slot('`+p.slot(t)+`')`)
	failed := run(t, 1, args...)
	if !strings.Contains(failed.Stderr.String(), "holds a checkpoint of it") {
		t.Errorf("it says:\n%s", failed.Stderr.String())
	}
	run(t, 0, p.args("cleanup", "--yes")...)
	m = start(t, args...)
	pgtest.Eventually(t, "the stream runs again", func() bool { return m.running() && p.phase(t) == "streaming" })
	m.signal(syscall.SIGINT)
	m.wait(3)
	run(t, 0, p.args("cleanup", "--yes")...)
	if left := pgtest.Query(t, p.source, `SELECT slot_name FROM pg_replication_slots WHERE database = current_database()`); len(left) > 0 {
		t.Errorf("cleanup left %v", left)
	}
}

// TestEndToEnd_ErrorOfTheData stops with the table, the key and the LSN, keeps the
// checkpoint, and goes on once the row is repaired.
func TestEndToEnd_ErrorOfTheData(t *testing.T) {
	t.Parallel()
	p := streamPair(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	pgtest.Exec(t, p.target, `INSERT INTO t VALUES (2, 'in the way')`)
	pgtest.Exec(t, p.source, `INSERT INTO t VALUES (1, 'a')`, `INSERT INTO t VALUES (2, 'b')`, `INSERT INTO t VALUES (3, 'c')`)
	args := p.args("stream", "--slot", p.slot(t), "--publication", "pub", "--endpos", p.lsn(t))
	failed := run(t, 1, args...)
	for _, want := range []string{"walferry: error: ", "public.t", "0/", "23505", "walferry: detail: ", "walferry: hint: "} {
		if !strings.Contains(failed.Stderr.String(), want) {
			t.Errorf("the error does not say %q:\n%s", want, failed.Stderr.String())
		}
	}
	var s status.Status
	out := run(t, 0, p.args("status", "--json")...)
	if err := json.Unmarshal([]byte(out.Stdout.String()), &s); err != nil {
		t.Fatalf("%v in %s", err, out.Stdout.String())
	}
	if d := s.Databases[0]; d.Phase != "failed" || !strings.Contains(d.Error, "public.t") || len(d.Next) == 0 {
		t.Errorf("status: %+v", d)
	}
	pgtest.Exec(t, p.target, `DELETE FROM t WHERE v = 'in the way'`)
	run(t, 0, args...)
	pgtest.Compare(t, p.source, p.target)
}

// TestEndToEnd_SlotOfAnotherTime refuses a slot that was dropped and made again:
// what was committed in between is in neither the slot nor the target.
func TestEndToEnd_SlotOfAnotherTime(t *testing.T) {
	t.Parallel()
	p := streamPair(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	slot := p.slot(t)
	args := p.args("stream", "--slot", slot, "--publication", "pub")
	run(t, 0, append(args, "--endpos", p.lsn(t))...)
	pgtest.Exec(t, p.source, `INSERT INTO t VALUES (1, 'lost with the slot')`,
		`SELECT pg_drop_replication_slot('`+slot+`')`, `SELECT pg_create_logical_replication_slot('`+slot+`', 'pgoutput')`)
	failed := run(t, 1, append(args, "--endpos", p.lsn(t))...)
	if !strings.Contains(failed.Stderr.String(), "ahead of what the target holds") {
		t.Errorf("the error is another one:\n%s", failed.Stderr.String())
	}
}

// TestEndToEnd_SecondSignalAborts: the first signal waits for what was received to be
// applied, here behind a lock; the second does not, and nothing is lost.
func TestEndToEnd_SecondSignalAborts(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	release := p.hold(t, m, "t")
	pgtest.Exec(t, p.source, `INSERT INTO t VALUES (1, 'a')`)
	pgtest.Eventually(t, "the applier waits for the lock", func() bool {
		return pgtest.Query(t, p.target, `SELECT count(*) FROM pg_locks WHERE NOT granted`)[0][0] != "0"
	})
	m.signal(syscall.SIGTERM)
	pgtest.Eventually(t, "it drains", func() bool { return strings.Contains(m.Stderr.String(), "draining") })
	m.signal(syscall.SIGTERM)
	m.wait(1)
	if !strings.Contains(m.Stderr.String(), "aborted by a second signal") {
		t.Errorf("it says:\n%s", m.Stderr.String())
	}
	release()
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	pgtest.Compare(t, p.source, p.target)
}

// TestEndToEnd_PublicationDropped ends the stream: from 18 on the server itself would go on without its changes.
func TestEndToEnd_PublicationDropped(t *testing.T) {
	t.Parallel()
	p := streamPair(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	m := start(t, p.args("stream", "--slot", p.slot(t), "--publication", "pub", "--retry-for", "1s")...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	pgtest.Exec(t, p.source, `DROP PUBLICATION pub`)
	m.wait(1)
	if !strings.Contains(m.Stderr.String(), "of the publications pub, 0 exist") {
		t.Errorf("it says:\n%s", m.Stderr.String())
	}
}

// TestEndToEnd_TwoAtOnce refuses the second instance and says who runs the first.
func TestEndToEnd_TwoAtOnce(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	first := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the first streams", func() bool { return first.running() && p.phase(t) == "streaming" })
	second := run(t, 1, p.args("migrate", "--retry-for", "1s")...)
	if !strings.Contains(second.Stderr.String(), "already being run") || !strings.Contains(second.Stderr.String(), "server process") {
		t.Errorf("the second says:\n%s", second.Stderr.String())
	}
	if !first.running() {
		t.Error("the first has ended")
	}
}

// TestEndToEnd_IdleDatabaseAdvances: the slot of a database without changes must not keep the WAL of a busy server.
func TestEndToEnd_IdleDatabaseAdvances(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	from, _ := pgtest.Majors()
	busy := pgtest.Server(t, from).Database(t, `CREATE TABLE noise (v text)`)
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	pgtest.Exec(t, busy, `INSERT INTO noise SELECT repeat('n', 1000) FROM generate_series(1, 2000)`)
	lsn := p.lsn(t)
	pgtest.Eventually(t, "the slot passes the noise", func() bool {
		return m.running() && pgtest.Query(t, p.source, `SELECT confirmed_flush_lsn >= '`+lsn+`' FROM pg_replication_slots
			WHERE database = current_database()`)[0][0] == "t"
	})
}

// TestEndToEnd_TableAddedToThePublication is copied and joined by the same run.
func TestEndToEnd_TableAddedToThePublication(t *testing.T) {
	t.Parallel()
	const tables = `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, v text)`
	p := simplePair(t, tables, `INSERT INTO b SELECT i, 'early' FROM generate_series(1, 500) i`, `CREATE PUBLICATION pub FOR TABLE a`)
	pgtest.Exec(t, p.target, tables)
	m := start(t, p.args("migrate", "--no-schema", "--publication", "pub")...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	pgtest.Exec(t, p.source, `ALTER PUBLICATION pub ADD TABLE b`, `INSERT INTO b VALUES (501, 'late'); UPDATE b SET v = 'changed' WHERE id = 7`)
	pgtest.Eventually(t, "its rows arrive", func() bool {
		if !m.running() {
			t.Fatal("walferry ended")
		}
		return pgtest.Query(t, p.target, `SELECT count(*) FROM b`)[0][0] == "501"
	})
	pgtest.Exec(t, p.source, `DELETE FROM b WHERE id % 2 = 0`)
	m.kill()
	run(t, 0, p.args("migrate", "--no-schema", "--publication", "pub", "--max-replication-lag", "0")...)
	pgtest.Compare(t, p.source, p.target)
}

// TestEndToEnd_OtherPublicationsThanBefore copies and joins, in the next run of the command,
// the tables of a publication that it did not name before, while the others stream; what
// is published no longer is named.
func TestEndToEnd_OtherPublicationsThanBefore(t *testing.T) {
	t.Parallel()
	const tables = `CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text); CREATE TABLE c (id int PRIMARY KEY)`
	p := simplePair(t, tables, `INSERT INTO a SELECT i, 'early' FROM generate_series(1, 500) i; INSERT INTO b SELECT i, 'early' FROM generate_series(1, 20000) i`,
		`CREATE PUBLICATION first FOR TABLE a, c`, `CREATE PUBLICATION second FOR TABLE b`, `CREATE PUBLICATION third FOR TABLE a`)
	pgtest.Exec(t, p.target, tables)
	common := []string{"--no-schema", "--chunk-size", "65536", "--max-replication-lag", "0"}
	run(t, 0, p.args("migrate", append(common, "--publication", "first")...)...)
	pgtest.Exec(t, p.source, `UPDATE a SET v = 'changed' WHERE id % 3 = 0; DELETE FROM b WHERE id % 7 = 0; INSERT INTO a VALUES (501, 'late')`)
	m := run(t, 0, p.args("migrate", append(common, "--publication", "third", "--publication", "second")...)...)
	if n := strings.Count(m.Stderr.String(), `"table copied"`); n != 1 {
		t.Errorf("%d tables were copied, want b alone", n)
	}
	if !strings.Contains(m.Stdout.String(), "warning: table public.c is not in the publications any more") {
		t.Errorf("c is not named in\n%s", m.Stdout.String())
	}
	pgtest.Exec(t, p.source, `UPDATE b SET v = 'changed' WHERE id % 5 = 0; UPDATE a SET id = id + 1000 WHERE id % 50 = 0`)
	run(t, 0, p.args("migrate", append(common, "--publication", "third", "--publication", "second", "--stop-replication")...)...)
	pgtest.Compare(t, p.source, p.target)
}
