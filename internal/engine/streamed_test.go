package engine_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// TestEndToEnd_StreamedTransactions receives large transactions while they run
// (the source streams beyond 64 kB), with rolled back savepoints, killed in between.
// Servers may fail to stream a TRUNCATE that is rolled back: then it receives whole ones.
func TestEndToEnd_StreamedTransactions(t *testing.T) {
	from, to := pgtest.Majors()
	settings := map[string]string{"logical_decoding_work_mem": "64kB"}
	p := pair{source: pgtest.Start(t, from, settings).Database(t), target: pgtest.Start(t, to, nil).Database(t)}
	if err := workload.LoadUgly(t.Context(), p.source, 1); err != nil {
		t.Fatal(err)
	}
	w := p.write(t, workload.Options{Seed: 3, Sessions: 4, LargeEvery: 15, LargeRows: 1500, Truncate: true})
	w.committed(20)
	spill := t.TempDir()
	args := p.args("migrate", "--streaming", "auto", "--spill-dir", spill)
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
	last := run(t, 0, append(args, "--max-replication-lag", "0", "--stop-replication")...)
	const fell = "received when they are committed"
	t.Logf("fell back: %t, %t", strings.Contains(m.Stderr.String(), fell), strings.Contains(last.Stderr.String(), fell))
	p.finished(t)
}
