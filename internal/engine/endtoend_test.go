package engine_test

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
	"github.com/walferry/walferry/internal/workload"
)

// pair is a source with the ugly schema and an empty target, on servers of their own.
type pair struct {
	source, target string
}

func newPair(t *testing.T, scale int) pair {
	t.Helper()
	from, to := pgtest.Majors()
	p := pair{
		source: pgtest.Server(t, from).Database(t),
		target: pgtest.Start(t, to, nil).Database(t),
	}
	if err := workload.LoadUgly(t.Context(), p.source, scale); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p pair) args(command string, more ...string) []string {
	return append([]string{command, "-s", p.source, "-t", p.target}, more...)
}

// writers keep several sessions writing to the source until they are stopped.
type writers struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
	g      *workload.Generator
	stats  workload.Stats
	err    error
}

func (p pair) write(t *testing.T, o workload.Options) *writers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &writers{t: t, cancel: cancel, done: make(chan struct{}), g: workload.New(p.source, o)}
	go func() {
		defer close(w.done)
		w.stats, w.err = w.g.Run(ctx)
	}()
	t.Cleanup(w.halt)
	return w
}

func (w *writers) halt() {
	w.cancel()
	<-w.done
}

// stop ends the writers and fails the test when the application saw an error.
func (w *writers) stop() {
	w.t.Helper()
	w.halt()
	if w.err != nil {
		w.t.Fatalf("the source's application failed: %v", w.err)
	}
	w.t.Logf("written: %+v", w.stats)
}

// committed waits until n more transactions have committed.
func (w *writers) committed(n int64) {
	w.t.Helper()
	from := w.g.Stats().Committed
	pgtest.Eventually(w.t, "the writers commit", func() bool {
		select {
		case <-w.done:
			w.t.Fatalf("the source's application failed: %v", w.err)
		default:
		}
		return w.g.Stats().Committed >= from+n
	})
}

// ask reads one value from the target; "" while walferry's schema is not there.
func (p pair) ask(t *testing.T, sql string) string {
	t.Helper()
	if pgtest.Query(t, p.target, `SELECT to_regclass('walferry.entry')`)[0][0] == "NULL" {
		return ""
	}
	rows := pgtest.Query(t, p.target, sql)
	if len(rows) == 0 {
		return ""
	}
	return rows[0][0]
}

func (p pair) phase(t *testing.T) string {
	t.Helper()
	return p.ask(t, `SELECT phase FROM walferry.migration`)
}

// applied is the number of transactions that the checkpoint contains.
func (p pair) applied(t *testing.T) string {
	t.Helper()
	return p.ask(t, `SELECT transactions FROM walferry.checkpoint`)
}

// copied is the number of tables that are copied.
func (p pair) copied(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(p.ask(t, `SELECT count(*) FROM walferry."table" WHERE state IN ('indexing', 'ready')`))
	if err != nil {
		return 0 // nothing is there to ask
	}
	return n
}

// hold keeps a table on the target from being copied, from when it exists on.
func (p pair) hold(t *testing.T, m *process, table string) (release func()) {
	t.Helper()
	pgtest.Eventually(t, "the schema is there", func() bool {
		if !m.running() {
			t.Fatal("walferry ended before the copy")
		}
		return pgtest.Query(t, p.target, `SELECT to_regclass('`+table+`')`)[0][0] != "NULL"
	})
	conn := pgtest.Connect(t, p.target)
	if _, err := conn.Exec(t.Context(), `BEGIN; LOCK TABLE `+table+` IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// nothingLeft fails unless the source has no slot and no publication anymore.
func (p pair) nothingLeft(t *testing.T) {
	t.Helper()
	left := pgtest.Query(t, p.source, `
		SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
		UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname LIKE 'walferry%'`)
	if len(left) > 0 {
		t.Errorf("left on the source: %v", left)
	}
}

// TestEndToEnd_KilledUnderLoad migrates while five sessions write, kills walferry
// several times in the copy and in the stream, and ends equal.
func TestEndToEnd_KilledUnderLoad(t *testing.T) {
	p := newPair(t, 5)
	w := p.write(t, workload.Options{Seed: 1, Sessions: 5, Truncate: true, LargeRows: 1000})
	w.committed(50)

	for range 2 {
		m := start(t, p.args("migrate", "-j", "1")...)
		release := p.hold(t, m, "app.nothing") // the smallest table comes last
		before := p.copied(t)
		pgtest.Eventually(t, "some tables are copied", func() bool {
			if !m.running() {
				t.Fatal("walferry ended in the copy")
			}
			return p.copied(t) > before
		})
		m.kill()
		release()
		w.committed(20)
	}
	for range 3 {
		m := start(t, p.args("migrate")...)
		before := p.applied(t)
		pgtest.Eventually(t, "transactions are applied", func() bool {
			if !m.running() {
				t.Fatal("walferry ended in the stream")
			}
			now := p.applied(t)
			return now != "" && now != "0" && now != before
		})
		m.kill()
	}
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the stream has begun", func() bool {
		if !m.running() {
			t.Fatal("walferry ended in the stream")
		}
		// The phase may be the killed run's: that this one answers to signals shows its log.
		phase := p.phase(t)
		return m.Stderr.String() != "" && (phase == "catching_up" || phase == "streaming")
	})
	m.signal(syscall.SIGTERM)
	m.wait(3)
	w.stop()
	p.finish(t)
}

// finish drains, compares and cleans up.
func (p pair) finish(t *testing.T) {
	t.Helper()
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	p.finished(t)
}

// finished compares everything and cleans up.
func (p pair) finished(t *testing.T) {
	t.Helper()
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
	p.nothingLeft(t)
	run(t, 0, p.args("cleanup", "--yes")...)
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM pg_namespace WHERE nspname = 'walferry'`)[0][0]; got != "0" {
		t.Error("cleanup left the schema walferry")
	}
	const objects = `SELECT string_agg(o, E'\n' ORDER BY o) FROM (
		SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) o FROM pg_constraint
			WHERE connamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') AND contype <> 'n'
		UNION ALL SELECT tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT indexrelid::regclass || ' ' || indisvalid FROM pg_index WHERE indexrelid::regclass::text NOT LIKE 'pg_%'
		UNION ALL SELECT attrelid::regclass || ' ' || attname || ' ' || attidentity::text FROM pg_attribute WHERE attidentity <> '') s`
	want, got := pgtest.Query(t, p.source, objects)[0][0], pgtest.Query(t, p.target, objects)[0][0]
	if want != got {
		t.Errorf("keys, triggers, indexes and identity differ:\n%s", strings.Join(missing(want, got), "\n"))
	}
}

// missing lists the lines that only one of the texts has.
func missing(want, got string) (lines []string) {
	for line := range strings.SplitSeq(want, "\n") {
		if !strings.Contains("\n"+got+"\n", "\n"+line+"\n") {
			lines = append(lines, "- "+line)
		}
	}
	for line := range strings.SplitSeq(got, "\n") {
		if !strings.Contains("\n"+want+"\n", "\n"+line+"\n") {
			lines = append(lines, "+ "+line)
		}
	}
	return lines
}
