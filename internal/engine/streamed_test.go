package engine_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// TestEndToEnd_StreamedTransactions receives large transactions while they run
// (the source streams beyond 64 kB), with rolled back savepoints, killed in between.
// TRUNCATE is left out: servers fail to stream one that is rolled back.
func TestEndToEnd_StreamedTransactions(t *testing.T) {
	from, to := pgtest.Majors()
	settings := map[string]string{"logical_decoding_work_mem": "64kB"}
	p := pair{source: pgtest.Start(t, from, settings).Database(t), target: pgtest.Start(t, to, nil).Database(t)}
	if err := workload.LoadUgly(t.Context(), p.source, 1); err != nil {
		t.Fatal(err)
	}
	w := p.write(t, workload.Options{Seed: 3, Sessions: 4, LargeEvery: 15, LargeRows: 1500})
	w.committed(20)
	spill := t.TempDir()
	args := p.args("migrate", "--streaming", "on", "--spill-dir", spill)
	m := start(t, args...)
	pgtest.Eventually(t, "transactions are applied", func() bool {
		if !m.running() {
			t.Fatal("walferry ended in the stream")
		}
		n := p.applied(t)
		return n != "" && n != "0"
	})
	w.committed(150)
	if from >= 14 {
		pgtest.Eventually(t, "the source has streamed a transaction", func() bool {
			return m.running() && pgtest.Query(t, p.source, `SELECT coalesce(sum(stream_txns), 0) > 0 FROM pg_stat_replication_slots`)[0][0] == "t"
		})
	}
	m.kill()
	w.committed(20)
	w.stop()
	run(t, 0, append(args, "--max-replication-lag", "0", "--stop-replication")...)
	p.finished(t)
}

// TestEndToEnd_NotStreamedUnlessAsked meets a transaction that 14 to 18 cannot send while it
// runs: a savepoint that altered a table is rolled back, and the table is altered again.
func TestEndToEnd_NotStreamedUnlessAsked(t *testing.T) {
	from, to := pgtest.Majors()
	p := pair{
		source: pgtest.Start(t, from, map[string]string{"logical_decoding_work_mem": "64kB"}).Database(t, "CREATE TABLE t (id int PRIMARY KEY, filler text)"),
		target: pgtest.Start(t, to, nil).Database(t),
	}
	run(t, 0, p.args("migrate", "--max-replication-lag", "0")...)
	rows := func(from, to string) string {
		return "INSERT INTO t (id, filler) SELECT i, repeat('x', 1000) FROM generate_series(" + from + ", " + to + ") i; "
	}
	pgtest.Exec(t, p.source, "BEGIN; "+rows("1", "50")+"SAVEPOINT s; "+rows("51", "150")+"ALTER TABLE t ADD gone int; "+rows("151", "250")+
		"ROLLBACK TO s; "+rows("51", "150")+"ALTER TABLE t ADD added int DEFAULT 2; COMMIT")
	pgtest.Exec(t, p.target, "ALTER TABLE t ADD added int DEFAULT 2")
	if from >= 14 {
		failed := run(t, 1, p.args("migrate", "--streaming", "on", "--max-replication-lag", "0", "--retry-for", "1ms")...)
		for _, want := range []string{"could not map file", "walferry: hint: ", "with --streaming on"} {
			if !strings.Contains(failed.Stderr.String(), want) {
				t.Errorf("no word of %q: %s", want, failed.Stderr.String())
			}
		}
	}
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	p.finished(t)
}

// TestEndToEnd_RollbackThatIsNotSent meets a savepoint whose rows 14 to 18 stream and whose
// rollback they do not: more than 4096 changes, here of one value out of line, went to the
// source's disk first.
func TestEndToEnd_RollbackThatIsNotSent(t *testing.T) {
	from, to := pgtest.Majors()
	p := pair{
		source: pgtest.Start(t, from, map[string]string{"logical_decoding_work_mem": "64kB"}).Database(t,
			"CREATE TABLE wide (id int PRIMARY KEY, filler text)", "ALTER TABLE wide ALTER filler SET STORAGE EXTERNAL"),
		target: pgtest.Start(t, to, nil).Database(t),
	}
	run(t, 0, p.args("migrate", "--max-replication-lag", "0")...)
	m := start(t, p.args("migrate", "--streaming", "on", "--spill-dir", t.TempDir())...)
	session := pgtest.Connect(t, p.source)
	do := func(sql string) {
		t.Helper()
		if _, err := session.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	do("BEGIN; INSERT INTO wide VALUES (1, 'before'); SAVEPOINT s; INSERT INTO wide VALUES (2, repeat('x', 9000000))")
	pgtest.Exec(t, p.source, "INSERT INTO wide VALUES (3, 'beside')") // the server sends what is flushed
	if from >= 14 {
		pgtest.Eventually(t, "the savepoint is streamed", func() bool {
			return m.running() && pgtest.Query(t, p.source, `SELECT coalesce(sum(stream_txns), 0) > 0 FROM pg_stat_replication_slots`)[0][0] == "t"
		})
	}
	do("ROLLBACK TO s; INSERT INTO wide VALUES (4, 'after'); COMMIT")
	pgtest.Eventually(t, "the transaction is applied", func() bool {
		return !m.running() || pgtest.Query(t, p.target, "SELECT count(*) FROM wide WHERE id = 4")[0][0] == "1"
	})
	m.signal(syscall.SIGTERM)
	m.wait(3)
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	p.finished(t)
}
