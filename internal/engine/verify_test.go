package engine_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/workload"
)

// verify runs walferry verify, which must exit with exit, and returns what it found.
func (p pair) verify(t *testing.T, exit int, more ...string) status.Verification {
	t.Helper()
	var v status.Verification
	m := run(t, exit, p.args("verify", append([]string{"--json"}, more...)...)...)
	if err := json.Unmarshal([]byte(m.Stdout.String()), &v); err != nil {
		t.Fatalf("read %q: %v", m.Stdout.String(), err)
	}
	if v.Equal != (exit == 0) {
		t.Fatalf("equal is %t with exit status %d", v.Equal, exit)
	}
	return v
}

// different lists what differs, one line each.
func different(v status.Verification) (lines []string) {
	for _, table := range v.Tables {
		if !table.Equal {
			lines = append(lines, table.Table+" "+table.Problem)
			for _, d := range table.Differences {
				key, _ := json.Marshal(d.Key) //nolint:errchkjson // of strings
				lines = append(lines, d.Kind+" "+string(key)+" "+strings.Join(d.Columns, ","))
			}
		}
	}
	for _, s := range v.Sequences {
		if !s.Held {
			lines = append(lines, "sequence "+s.Sequence+" "+s.Problem)
		}
	}
	for _, o := range v.Objects {
		if !o.Held {
			lines = append(lines, o.Kind+" "+o.Object+" "+o.Problem)
		}
	}
	return lines
}

// migrating starts migrate and waits until it streams.
func (p pair) migrating(t *testing.T, more ...string) *process {
	t.Helper()
	m := start(t, p.args("migrate", more...)...)
	pgtest.Eventually(t, "the stream runs", func() bool {
		if !m.running() {
			t.Fatal("walferry ended")
		}
		return p.phase(t) == "streaming"
	})
	return m
}

// TestEndToEnd_VerifyUnderLoad verifies again and again while sessions write and truncate,
// beside a run with one lane and with several, and without one: it finds nothing.
func TestEndToEnd_VerifyUnderLoad(t *testing.T) {
	p := newPair(t, 3)
	w := p.write(t, workload.Options{Seed: 7, Sessions: 3, Truncate: true, LargeRows: 500, Pause: 10 * time.Millisecond})
	w.committed(50)
	for _, lanes := range []string{"1", "4"} {
		m := p.migrating(t, "--apply-jobs", lanes)
		for range 2 {
			if v := p.verify(t, 0, "--jobs", "2"); !v.Aligned {
				t.Error("both sides were compared as they stood")
			}
		}
		if lanes == "1" {
			m.signal(syscall.SIGTERM)
			m.wait(3)
		} else {
			m.kill() // its lanes stand apart
		}
		w.committed(20)
		if v := p.verify(t, 0); !v.Aligned {
			t.Error("without a run, both sides were compared as they stood")
		}
	}
	w.stop()
	p.finish(t)
}

// TestEndToEnd_VerifyPlanted plants differences of every kind on the target while sessions
// write to both sides' other tables, and finds them and nothing else.
func TestEndToEnd_VerifyPlanted(t *testing.T) {
	p := newPair(t, 2)
	pgtest.Exec(t, p.source, `CREATE SCHEMA planted`,
		`CREATE TABLE planted.rows (id int PRIMARY KEY, t text, n numeric, u text)`,
		`INSERT INTO planted.rows SELECT i, 't', 1.0, NULL FROM generate_series(1, 1000) i`,
		`CREATE TABLE planted.million (id int PRIMARY KEY, v text)`,
		`INSERT INTO planted.million SELECT i, 'v' || i FROM generate_series(1, 1000000) i`,
		`CREATE TABLE planted.no_key (v text)`, `INSERT INTO planted.no_key VALUES ('a'), ('a'), (NULL)`,
		`CREATE TABLE planted.texts (k text COLLATE "C" PRIMARY KEY, v int)`, `INSERT INTO planted.texts SELECT 'k' || i, i FROM generate_series(1, 500) i`,
		`CREATE INDEX rows_t ON planted.rows (t)`)
	w := p.write(t, workload.Options{Seed: 8, Sessions: 2, LargeRows: 500, Schemas: []string{"app"}, Pause: 10 * time.Millisecond})
	m := p.migrating(t, "--apply-jobs", "2")
	pgtest.Exec(t, p.target, `ALTER TABLE planted.texts RENAME TO old`,
		`CREATE TABLE planted.texts (v int, extra text, k text COLLATE "POSIX")`, // another order of columns, and of text
		`INSERT INTO planted.texts SELECT v, 'x', k FROM planted.old`, `DROP TABLE planted.old`, `ALTER TABLE planted.texts ADD PRIMARY KEY (k)`)
	if v := p.verify(t, 0, "--schema", "planted"); len(v.Tables) != 4 {
		t.Errorf("%d tables are compared", len(v.Tables))
	}
	w.committed(20)
	pgtest.Exec(t, p.target, `DELETE FROM planted.rows WHERE id = 1`,
		`INSERT INTO planted.rows VALUES (-1)`,
		`UPDATE planted.rows SET t = 'other' WHERE id = 2`,
		`UPDATE planted.rows SET u = '' WHERE id = 3`,
		`UPDATE planted.rows SET t = 't ' WHERE id = 4`,
		`UPDATE planted.rows SET n = 1.00 WHERE id = 5`,
		`UPDATE planted.million SET v = 'w' WHERE id = 777777`,
		`DELETE FROM planted.no_key WHERE ctid = '(0,1)'`,
		`UPDATE planted.texts SET v = 0 WHERE k = 'k7'`,
		`DROP INDEX planted.rows_t`)
	got := strings.Join(different(p.verify(t, 2, "--jobs", "2")), "\n")
	want := `planted.million 
changed {"id":"777777"} v
planted.no_key 
missing {"v":"a"} 
planted.rows 
extra {"id":"-1"} 
missing {"id":"1"} 
changed {"id":"2"} t
changed {"id":"3"} u
changed {"id":"4"} t
changed {"id":"5"} n
planted.texts 
changed {"k":"k7"} v
INDEX planted.rows_t the target has none`
	if got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
	if !m.running() {
		t.Error("the run has ended")
	}
	w.stop()
}

// TestEndToEnd_VerifyKilled kills verify when it has some verdicts: the stream goes on,
// and the next verify keeps the verdicts with their position.
func TestEndToEnd_VerifyKilled(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE large (id int PRIMARY KEY, v text)`, `CREATE TABLE small (id int PRIMARY KEY)`,
		`INSERT INTO large SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i`, `INSERT INTO small VALUES (1)`, `ANALYZE`)
	m := p.migrating(t)
	pgtest.Exec(t, p.target, `CREATE FUNCTION walferry.wait() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN IF NEW.name = 'small' THEN PERFORM pg_advisory_xact_lock(42); END IF; RETURN NEW; END$$`,
		`CREATE TRIGGER wait BEFORE INSERT ON walferry.verdict FOR EACH ROW EXECUTE FUNCTION walferry.wait()`)
	holder := pgtest.Connect(t, p.target)
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_lock(42)`); err != nil {
		t.Fatal(err)
	}
	killed := start(t, p.args("verify", "--jobs", "1")...)
	pgtest.Eventually(t, "one table is judged, and the other waits", func() bool {
		return killed.running() && pgtest.Query(t, p.target, `SELECT count(*) FROM walferry.verdict`)[0][0] == "1" &&
			pgtest.Query(t, p.target, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)[0][0] == "1"
	})
	killed.kill()
	pgtest.Exec(t, p.source, `INSERT INTO small VALUES (2)`, `INSERT INTO large VALUES (0)`)
	pgtest.Eventually(t, "the stream goes on", func() bool {
		return m.running() && pgtest.Query(t, p.target, `SELECT count(*) FROM small`)[0][0] == "2"
	})
	if err := holder.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, p.target, `DROP FUNCTION walferry.wait() CASCADE`, `DELETE FROM walferry.verdict WHERE name = 'small'`)
	v := p.verify(t, 0)
	rows := map[string]int64{}
	for _, table := range v.Tables {
		rows[table.Table] = table.SourceRows
	}
	if rows["public.large"] != 20000 || rows["public.small"] != 2 || v.Tables[0].LSN == v.Tables[1].LSN {
		t.Errorf("verified %+v", v.Tables)
	}
	if v := p.verify(t, 0); v.Tables[0].LSN != v.Tables[1].LSN || v.Tables[0].SourceRows != 20001 {
		t.Errorf("a verification that was finished is gone on with: %+v", v.Tables)
	}
	if left := pgtest.Query(t, p.source, `SELECT count(*) FROM pg_replication_slots WHERE temporary AND database = current_database()`)[0][0]; left != "0" {
		t.Errorf("%s temporary slots are left", left)
	}
}

// TestEndToEnd_VerifyBehindTransaction begins while a transaction is open on the source, for
// which the slot waits: the stream goes on. A verify that is killed there holds nothing up, and a
// run that is killed there is done without.
func TestEndToEnd_VerifyBehindTransaction(t *testing.T) {
	t.Parallel()
	from, to := pgtest.Majors()
	p := pair{source: pgtest.Start(t, from, nil).Database(t, `CREATE TABLE t (id int PRIMARY KEY)`), target: pgtest.Start(t, to, nil).Database(t)}
	m := p.migrating(t)
	arrives := func(id string) {
		t.Helper()
		pgtest.Exec(t, p.source, `INSERT INTO t VALUES (`+id+`)`)
		pgtest.Eventually(t, id+" arrives", func() bool {
			return m.running() && len(pgtest.Query(t, p.target, `SELECT FROM t WHERE id = `+id)) == 1
		})
	}
	open := pgtest.Connect(t, p.source)
	if _, err := open.Exec(t.Context(), `BEGIN; INSERT INTO t VALUES (-1)`); err != nil {
		t.Fatal(err)
	}
	waits := func() *process {
		t.Helper()
		v := start(t, p.args("verify", "--json")...)
		pgtest.Eventually(t, "the slot waits", func() bool {
			if !v.running() {
				t.Fatal("verify ended")
			}
			return pgtest.Query(t, p.source, `SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted`)[0][0] != "0"
		})
		return v
	}
	v := waits()
	arrives("1")
	v.signal(syscall.SIGTERM)
	v.wait(3)
	v = waits()
	arrives("2")
	v.kill()
	arrives("3")
	pgtest.Eventually(t, "the first slot is gone", func() bool {
		return pgtest.Query(t, p.source, `SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted`)[0][0] == "0" ||
			len(pgtest.Query(t, p.source, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted`)) > 0
	})
	v = waits()
	m.kill()
	pgtest.Exec(t, p.source, `INSERT INTO t VALUES (4)`)
	if _, err := open.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	v.wait(0)
	var result status.Verification
	if err := json.Unmarshal([]byte(v.Stdout.String()), &result); err != nil {
		t.Fatal(err)
	}
	if !result.Equal || !result.Aligned || result.Tables[0].SourceRows != 5 {
		t.Errorf("verified %+v", result)
	}
}

// TestEndToEnd_VerifyAsTheyStand compares after a cutover, a dump and a snapshot, one table at a
// time: nothing is applied anymore.
func TestEndToEnd_VerifyAsTheyStand(t *testing.T) {
	t.Parallel()
	const schema = `CREATE TABLE a (id serial PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY REFERENCES a); CREATE UNLOGGED TABLE u (id int)`
	const data = `INSERT INTO a (v) VALUES ('x'), (NULL); INSERT INTO b VALUES (1); INSERT INTO u VALUES (1)`
	for name, commands := range map[string][][]string{
		"cutover":  {{"migrate", "--max-replication-lag", "0"}, {"verify"}, {"migrate", "--max-replication-lag", "0", "--stop-replication"}},
		"dump":     {{"migrate", "--method", "dump"}},
		"snapshot": {{"snapshot"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := simplePair(t, schema, data)
			if name == "snapshot" {
				pgtest.Exec(t, p.target, schema)
			}
			for _, command := range commands {
				run(t, 0, p.args(command[0], command[1:]...)...)
			}
			if name == "snapshot" {
				pgtest.Exec(t, p.target, `SELECT setval('a_id_seq', 100)`)
			}
			v := p.verify(t, 0, "--snapshot-for", "1ns")
			if v.Aligned || len(v.Tables) != 3 || v.LSN == "" {
				t.Errorf("verified %+v", v)
			}
			pgtest.Exec(t, p.target, `UPDATE a SET v = '' WHERE v IS NULL`, `ALTER TABLE b DROP CONSTRAINT b_id_fkey`, `SELECT setval('a_id_seq', 1)`)
			got := strings.Join(different(p.verify(t, 2)), "\n")
			want := "public.a \nchanged {\"id\":\"2\"} v\nsequence public.a_id_seq last value 2, called true, on the source; 1, true, on the target\n" +
				"FK CONSTRAINT public.b b_id_fkey the target has none"
			if got != want {
				t.Errorf("found\n%s\nwant\n%s", got, want)
			}
			if got := different(p.verify(t, 2, "--table", "a", "--rows-only")); len(got) != 2 {
				t.Errorf("found %q", got)
			}
		})
	}
}

// TestVerify_Published compares what is published, and no more: rows of a filter, columns of
// a list, partitions as their root.
func TestVerify_Published(t *testing.T) {
	t.Parallel()
	const tables = `CREATE TABLE filtered (id int PRIMARY KEY, region text); ALTER TABLE filtered REPLICA IDENTITY FULL;
		CREATE TABLE listed (id int PRIMARY KEY, v text, secret text);
		CREATE TABLE parted (id int PRIMARY KEY, v int, twice int GENERATED ALWAYS AS (v * 2) STORED) PARTITION BY RANGE (id)`
	p := simplePair(t, tables, `CREATE TABLE p1 PARTITION OF parted FOR VALUES FROM (0) TO (100); CREATE TABLE p2 PARTITION OF parted DEFAULT`,
		`CREATE PUBLICATION pub FOR TABLE filtered WHERE (region = 'eu'), listed (id, v), parted WITH (publish_via_partition_root)`,
		`INSERT INTO filtered SELECT i, CASE i % 2 WHEN 0 THEN 'eu' ELSE 'us' END FROM generate_series(1, 100) i`,
		`INSERT INTO listed SELECT i, 'v', 'secret' FROM generate_series(1, 50) i`, `INSERT INTO parted SELECT i, i FROM generate_series(1, 200) i`)
	pgtest.Exec(t, p.target, tables, `CREATE TABLE q PARTITION OF parted DEFAULT`)
	m := p.migrating(t, "--no-schema", "--publication", "pub")
	pgtest.Exec(t, p.source, `UPDATE filtered SET region = 'us' WHERE id = 2`, `DELETE FROM parted WHERE id = 7`)
	v := p.verify(t, 0, "--rows-only")
	if len(v.Tables) != 3 || v.Tables[0].SourceRows != 49 || v.Tables[1].SourceRows != 50 || v.Tables[2].SourceRows != 199 {
		t.Errorf("verified %+v", v.Tables)
	}
	pgtest.Exec(t, p.target, `INSERT INTO filtered VALUES (1000, 'eu'), (1001, 'us')`, `UPDATE listed SET v = 'w', secret = 's' WHERE id = 3`,
		`UPDATE parted SET v = 0 WHERE id = 150`)
	got := strings.Join(different(p.verify(t, 2, "--rows-only")), "\n")
	want := "public.filtered \nextra {\"id\":\"1000\"} \npublic.listed \nchanged {\"id\":\"3\"} v\npublic.parted \nchanged {\"id\":\"150\"} v,twice"
	if got != want || !m.running() {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
}

// TestVerify_Refused says what to do where there is nothing to compare.
func TestVerify_Refused(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	run(t, 0, p.args("migrate", "--max-replication-lag", "0")...)
	for _, c := range []struct {
		args []string
		want string
	}{
		{p.args("verify", "--table", "nothing"), "no table matches"},
		{p.args("verify", "--name", "other"), "no migration"},
		{[]string{"verify", "-s", p.target, "-t", p.target}, "belongs to another source"},
	} {
		m := run(t, 1, c.args...)
		if !strings.Contains(m.Stderr.String(), c.want) {
			t.Errorf("%v says:\n%s", c.args, m.Stderr.String())
		}
	}
}

// TestVerify_Chosen compares only what of the source was moved, its objects too.
func TestVerify_Chosen(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE a (id serial PRIMARY KEY, v text); CREATE TABLE b (id serial PRIMARY KEY); CREATE INDEX ON b (id);
		CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF parted DEFAULT; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`)
	run(t, 0, p.args("migrate", "--table", "a", "--table", "parted", "--max-replication-lag", "0")...)
	v := p.verify(t, 0)
	if len(v.Tables) != 2 || v.Tables[0].Table != "public.a" {
		t.Errorf("verified %+v", v)
	}
	pgtest.Exec(t, p.target, `ALTER TABLE a DROP v`)
	got := strings.Join(different(p.verify(t, 2)), "\n")
	want := "public.a the target has no column \"v\"\nCOLUMN public.a v the target has none"
	if got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
}
