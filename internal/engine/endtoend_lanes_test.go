package engine_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// changes is what the checkpoints of all lanes contain.
func (p pair) changes(t *testing.T) string {
	t.Helper()
	return p.ask(t, `SELECT coalesce(sum(changes), 0) FROM walferry.checkpoint`)
}

// lanes returns how many lanes there are, and at how many positions.
func (p pair) lanes(t *testing.T) (lanes, positions string) {
	t.Helper()
	row := pgtest.Query(t, p.target, `SELECT count(*), count(DISTINCT lsn) FROM walferry.checkpoint`)[0]
	return row[0], row[1]
}

// TestEndToEnd_LanesKilledUnderLoad kills runs whose lanes stand apart, and goes on
// with other numbers of lanes.
func TestEndToEnd_LanesKilledUnderLoad(t *testing.T) {
	p := newPair(t, 5)
	w := p.write(t, workload.Options{Seed: 2, Sessions: 4, Truncate: true, LargeRows: 1000})
	w.committed(50)
	// A table that stays split: the writers, who change keys and truncate, do not know it.
	pgtest.Exec(t, p.source, `CREATE TABLE app.counted (id int PRIMARY KEY, n int)`)
	rounds := 0
	count := func() {
		rounds++
		pgtest.Exec(t, p.source, fmt.Sprintf(`INSERT INTO app.counted SELECT i, 0 FROM generate_series(%d, %d) i;
			UPDATE app.counted SET n = n + 1 WHERE id %% 3 = %d; DELETE FROM app.counted WHERE id %% 11 = %d`,
			rounds*100, rounds*100+99, rounds%3, rounds%11))
	}
	apart, met := 0, 0
	for _, lanes := range []int{2, 8, 8, 3, 1, 8, 5, 2} {
		m := start(t, p.args("migrate", "--apply-jobs", strconv.Itoa(lanes))...)
		pgtest.Eventually(t, "the lanes are those asked for", func() bool {
			if !m.running() {
				t.Fatal("walferry ended in the stream")
			}
			got := p.ask(t, `SELECT count(*) FROM walferry.checkpoint WHERE EXISTS (SELECT FROM walferry."table" WHERE lane IS NOT NULL)`)
			return got == strconv.Itoa(lanes)
		})
		for range 3 {
			before := p.changes(t)
			count()
			pgtest.Eventually(t, "changes are applied", func() bool {
				if !m.running() {
					t.Fatal("walferry ended in the stream")
				}
				return p.changes(t) != before
			})
		}
		m.kill()
		if strings.Contains(m.Stderr.String(), "meet first") {
			met++
		}
		if _, positions := p.lanes(t); positions != "1" {
			apart++
		}
	}
	if apart == 0 || met == 0 {
		t.Errorf("%d runs ended with lanes at different positions, %d brought them together: nothing was tested", apart, met)
	}
	t.Logf("%d runs ended with lanes apart, %d brought them together", apart, met)
	w.stop()
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication", "--apply-jobs", "4")...)
	if lanes, positions := p.lanes(t); lanes != "4" || positions != "1" {
		t.Errorf("%s lanes end at %s positions", lanes, positions)
	}
	used := pgtest.Query(t, p.target, `SELECT count(DISTINCT lane), count(*) FILTER (WHERE lane IS NULL AND name <> 'session_cache') FROM walferry."table"`)[0] // that one is unlogged
	if used[0] != "4" || used[1] != "0" {
		t.Errorf("tables are in %s lanes, %s in none", used[0], used[1])
	}
	split := pgtest.Query(t, p.target, `SELECT count(*) FILTER (WHERE split IS NOT NULL), count(*) FILTER (WHERE one_lane <> '') FROM walferry."table"`)[0]
	if split[0] == "0" || split[1] == "0" {
		t.Errorf("%s tables are split, %s no longer: nothing was tested", split[0], split[1])
	}
	t.Logf("%s tables are split, %s no longer", split[0], split[1])
	p.finished(t)
}

// TestEndToEnd_StreamInLanes truncates tables that foreign keys tie on the target,
// and goes on with other lanes from a common end.
func TestEndToEnd_StreamInLanes(t *testing.T) {
	t.Parallel()
	p := streamPair(t, `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a);
		CREATE TABLE c (id int PRIMARY KEY); CREATE TABLE d (id int PRIMARY KEY REFERENCES b);
		CREATE TABLE e (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
		CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (0) TO (10); CREATE TABLE e2 PARTITION OF e DEFAULT`)
	args := p.args("stream", "--slot", p.slot(t), "--publication", "pub")
	for _, lanes := range []string{"3", "8", "1", "2"} {
		pgtest.Exec(t, p.source, `INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1); INSERT INTO d VALUES (1)`,
			`INSERT INTO e SELECT generate_series(1, 20); TRUNCATE a, b, c, d; INSERT INTO a VALUES (3); INSERT INTO c VALUES (4)`,
			`UPDATE e SET id = id + 100; TRUNCATE e1`)
		run(t, 0, append(args, "--endpos", p.lsn(t), "--apply-jobs", lanes)...)
		pgtest.Compare(t, p.source, p.target)
		if got, positions := p.lanes(t); got != lanes || positions != "1" {
			t.Errorf("%s lanes end at %s positions, want %s at one", got, positions, lanes)
		}
		pgtest.Exec(t, p.source, `TRUNCATE a CASCADE; TRUNCATE c, e`)
	}
	if got := pgtest.Query(t, p.target, `SELECT one_lane FROM walferry."table" WHERE name = 'c'`)[0][0]; got != "it is truncated" {
		t.Errorf("a table that was split and truncated: %q", got)
	}
	if got := pgtest.Query(t, p.target, `SELECT count(DISTINCT lane) FROM walferry."table" WHERE name IN ('a', 'b', 'd')`)[0][0]; got != "1" {
		t.Errorf("tables that refer to each other are in %s lanes", got)
	}
}

// TestEndToEnd_LaneCommitsLate has a lane whose COMMIT is under way while another one
// ends the stream, and happens after that.
func TestEndToEnd_LaneCommitsLate(t *testing.T) {
	t.Parallel()
	p := streamPair(t, `CREATE TABLE late (n int); CREATE TABLE split (id int PRIMARY KEY)`)
	args := p.args("stream", "--slot", p.slot(t), "--publication", "pub", "--apply-jobs", "2")
	run(t, 0, append(args, "--endpos", p.lsn(t))...)
	// Not even a cancelled COMMIT is cancelled.
	pgtest.Exec(t, p.target, `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			LOOP BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;
		CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
		ALTER TABLE late ENABLE ALWAYS TRIGGER wait`)
	holder := pgtest.Connect(t, p.target)
	if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_lock(42)"); err != nil {
		t.Fatal(err)
	}
	m := start(t, args...)
	pgtest.Exec(t, p.source, "INSERT INTO late VALUES (1)")
	waits := func(kind string) bool {
		return p.ask(t, `SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = '`+kind+`' AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`) != "0"
	}
	pgtest.Eventually(t, "the lane commits", func() bool { return waits("advisory") })
	// Keys of all remainders: some row moves to the other lane.
	pgtest.Exec(t, p.source, "INSERT INTO split SELECT generate_series(1, 20)", "UPDATE split SET id = id + 100")
	pgtest.Eventually(t, "somebody waits for the lane", func() bool { return waits("transactionid") })
	if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_unlock(42)"); err != nil {
		t.Fatal(err)
	}
	end := p.lsn(t)
	pgtest.Eventually(t, "all is applied", func() bool {
		return !m.running() || p.ask(t, "SELECT min(lsn) >= '"+end+"' FROM walferry.checkpoint") == "t"
	})
	if !strings.Contains(m.Stderr.String(), "a table goes to one lane") {
		t.Error("nothing ended the stream: nothing was tested")
	}
	m.signal(syscall.SIGTERM)
	m.wait(3)
	pgtest.Compare(t, p.source, p.target)
}
