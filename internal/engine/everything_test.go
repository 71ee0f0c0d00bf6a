package engine_test

import (
	"bytes"
	_ "embed"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
	"github.com/walferry/walferry/internal/workload"
)

//go:embed testdata/everything.sql
var everythingSQL string

// TestEndToEnd_OneOfEverything migrates a database that holds one of everything,
// while it is written and its large objects and unlogged tables change, and ends
// with a target whose dump is that of one which pg_restore made.
func TestEndToEnd_OneOfEverything(t *testing.T) {
	from, to := pgtest.Majors()
	source, dest := pgtest.Start(t, from, nil), pgtest.Start(t, to, nil)
	p := pair{source: source.Database(t), target: dest.Database(t)}
	if err := workload.LoadUgly(t.Context(), p.source, 2); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, p.source, everythingSQL)
	w := p.write(t, workload.Options{Seed: 5, Sessions: 3, Schemas: []string{"app", "Sales Dept", "select", "Ünïcode"}})
	w.committed(30)
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the stream runs", func() bool {
		if !m.running() {
			t.Fatal("walferry ended")
		}
		return p.phase(t) == "streaming"
	})
	pgtest.Exec(t, p.source, `
		SELECT lo_from_bytea(90004, 'after'), lo_put(90003, 1500000, 'changed'), lo_unlink(90002);
		INSERT INTO ev.cache VALUES (2, 'after');
		INSERT INTO ev.parent VALUES (1000, 'after'); INSERT INTO ev.child (parent, code) VALUES (1000, 'Y');
		DELETE FROM ev.parent WHERE id = 3; UPDATE ev.full_identity SET b = 'once' WHERE a = 1;
		UPDATE ev.parts SET day = day + 20 WHERE id < 20; INSERT INTO ev.base VALUES (3);
		SELECT nextval('ev.backwards')`)
	w.committed(30)
	w.stop()
	m.kill()
	out := run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	summary := out.Stdout.String()
	t.Log(summary)
	if strings.Contains(summary, "moved with a loss") {
		t.Errorf("summary: %s", summary)
	}
	for line := range strings.SplitSeq(summary, "\n") {
		if warning, is := strings.CutPrefix(line, "warning: "); is && !expectedLoss.MatchString(warning) {
			t.Errorf("an unexpected warning: %s", warning)
		}
		if skipped, is := strings.CutPrefix(line, "skipped: "); is && !strings.Contains(skipped, "foreign table") {
			t.Errorf("skipped: %s", skipped)
		}
	}
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
	for _, sql := range []string{
		`SELECT string_agg(concat_ws(' ', m.oid, pg_get_userbyid(lomowner), lomacl, obj_description(m.oid, 'pg_largeobject'), md5(lo_get(m.oid))), E'\n' ORDER BY m.oid)
			FROM pg_largeobject_metadata m`,
		`SELECT string_agg(k || v, ' ' ORDER BY k) FROM ev.cache`,
		`SELECT string_agg(relname || relispopulated, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'm'`,
		`SELECT n FROM ev.again`,
		`SELECT string_agg(s, ' ' ORDER BY s) FROM (SELECT concat_ws(' ', nullif(setrole, 0)::regrole, setconfig) s FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()) s`,
		`SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()`,
		`SELECT string_agg(concat_ws(' ', rolname, rolcanlogin, rolpassword), ',' ORDER BY rolname) FROM pg_authid WHERE rolname LIKE 'ev\_%'`,
		`SELECT string_agg(roleid::regrole || ' ' || member::regrole, ',') FROM pg_auth_members WHERE roleid::regrole::text LIKE 'ev\_%'`,
	} {
		p.same(t, sql)
	}
	if n := pgtest.Query(t, p.target, `SELECT count(*) FROM pg_statistic_ext_data`)[0][0]; n == "0" {
		t.Error("extended statistics were not gathered")
	}
	p.nothingLeft(t)
	run(t, 0, p.args("cleanup", "--yes")...)
	p.sameSchema(t, dest, max(from, to))
}

// expectedLoss are the warnings that the ugly schema gives cause for.
var expectedLoss = regexp.MustCompile(`UPDATE and DELETE are not replicated`)

// sameSchema fails unless the target's dump is that of a database which PostgreSQL's
// own programs make of the source.
func (p pair) sameSchema(t *testing.T, dest *pgtest.Cluster, major int) {
	t.Helper()
	reference := dest.Database(t)
	bin := pgtest.Client(t, major)
	pipe(t, exec.Command(filepath.Join(bin, "pg_dump"), "--format=custom", "--schema-only", "--no-subscriptions", "--dbname="+p.source),
		exec.Command(filepath.Join(bin, "pg_restore"), "--exit-on-error", "--dbname="+reference))
	dump := func(uri string) string {
		out, err := exec.Command(filepath.Join(bin, "pg_dump"), "--schema-only", "--dbname="+uri).Output()
		if err != nil {
			t.Fatal(err)
		}
		return ownLines.ReplaceAllString(string(out), "")
	}
	if want, got := dump(reference), dump(p.target); want != got {
		t.Errorf("the schema differs from what pg_restore makes:\n%s", strings.Join(missing(want, got), "\n"))
	}
}

// ownLines are those of a dump that have a random word.
var ownLines = regexp.MustCompile(`(?m)^\\(un)?restrict .*$`)

// pipe runs two programs, the second one on what the first one writes.
func pipe(t *testing.T, from, to *exec.Cmd) {
	t.Helper()
	var said, answered bytes.Buffer
	from.Stderr, to.Stderr = &said, &answered
	var err error
	if to.Stdin, err = from.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := from.Start(); err != nil {
		t.Fatal(err)
	}
	if err := to.Run(); err != nil {
		t.Fatalf("%v: %s", err, answered.String())
	}
	if err := from.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
}
