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
	if err := json.Unmarshal(m.stdout.Bytes(), &v); err != nil {
		t.Fatalf("read %q: %v", m.stdout.String(), err)
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
		m.signal(syscall.SIGTERM)
		m.wait(3)
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
