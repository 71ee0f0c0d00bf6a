package engine_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// TestEndToEnd_SourceStaysWritable leaves the source's application alone where a
// table has no key, and names such a table and one that was made since.
func TestEndToEnd_SourceStaysWritable(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE keyless (a int, b text); INSERT INTO keyless VALUES (1, 'x'), (2, 'y')`)
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	pgtest.Exec(t, p.source, `UPDATE keyless SET b = 'z' WHERE a = 1`, `DELETE FROM keyless WHERE a = 2`, `INSERT INTO keyless VALUES (3, 'new')`,
		`CREATE TABLE made_since (id int PRIMARY KEY); INSERT INTO made_since VALUES (1)`)
	m.signal(syscall.SIGTERM)
	m.wait(3)
	out := run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	summary := out.Stdout.String()
	for _, want := range []string{"public.keyless: its UPDATE and DELETE are not replicated", "public.made_since was made after the migration began"} {
		if !strings.Contains(summary, want) {
			t.Errorf("the summary lacks %q: %s", want, summary)
		}
	}
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM keyless WHERE a = 3`)[0][0]; got != "1" {
		t.Error("an inserted row is missing")
	}
}

// TestEndToEnd_AutoTakesADump where replication is not possible, and says why.
func TestEndToEnd_AutoTakesADump(t *testing.T) {
	t.Parallel()
	from, to := pgtest.Majors()
	source := pgtest.Start(t, from, map[string]string{"wal_level": "replica"})
	p := pair{source: source.Database(t, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); SELECT lo_from_bytea(7, 'seven')`), target: pgtest.Server(t, to).Database(t)}
	out := run(t, 0, p.args("migrate", "--no-roles")...)
	if !strings.Contains(out.Stdout.String(), "done, method dump") || !strings.Contains(out.Stderr.String(), "wal_level") {
		t.Errorf("%s%s", out.Stderr.String(), out.Stdout.String())
	}
	if got := pgtest.Query(t, p.target, `SELECT count(*) || encode(lo_get(7), 'escape') FROM t`)[0][0]; got != "1seven" {
		t.Errorf("the target holds %s", got)
	}
	out = run(t, 2, p.args("migrate", "--no-roles", "--method", "replication", "--name", "second")...)
	if !strings.Contains(out.Stderr.String(), "wal_level") {
		t.Errorf("stderr: %s", out.Stderr.String())
	}
}

// TestEndToEnd_EmptyChoiceMovesNothing, and a choice that names nothing is an error.
func TestEndToEnd_EmptyChoiceMovesNothing(t *testing.T) {
	t.Parallel()
	from, to := pgtest.Majors()
	p := pair{target: pgtest.Server(t, to).Database(t)}
	p.source = pgtest.Server(t, from).Database(t, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);
		CREATE UNLOGGED TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (2); SELECT lo_create(9)`)
	for _, args := range [][]string{{"--table", "nosuch"}, {"--exclude-table", "nosuch"}, {"--schema", "nosuch"}, {"--exclude-schema", "nosuch"}} {
		out := start(t, p.args("migrate", append(args, "--no-roles")...)...)
		<-out.Exited()
		if code := out.Cmd.ProcessState.ExitCode(); code == 0 || !strings.Contains(out.Stderr.String(), "matches pattern") {
			t.Errorf("%v: exit %d, %s", args, code, out.Stderr.String())
		}
	}
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`)[0][0]; got != "0" {
		t.Errorf("%s relations were made", got)
	}
	out := run(t, 0, p.args("migrate", "--no-roles", "--exclude-table", "*", "--max-replication-lag", "0", "--stop-replication")...)
	if got := pgtest.Query(t, p.target, `SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace) + (SELECT count(*) FROM pg_largeobject_metadata)`)[0][0]; got != "0" {
		t.Errorf("an empty choice moved %s objects: %s", got, out.Stdout.String())
	}
	if !strings.Contains(out.Stdout.String(), "large objects are not moved: only some tables were chosen") {
		t.Errorf("summary: %s", out.Stdout.String())
	}
	run(t, 0, p.args("cleanup", "--yes")...)
	run(t, 0, p.args("migrate", "--no-roles", "--table", "u", "--max-replication-lag", "0", "--stop-replication")...)
	if got := pgtest.Query(t, p.target, `SELECT id FROM u`); len(got) != 1 || got[0][0] != "2" {
		t.Errorf("the unlogged table holds %v", got)
	}
}

// TestEndToEnd_NothingUninvited makes no subscription and no extension on the target,
// and with --no-owner gives everything to the role that connects.
func TestEndToEnd_NothingUninvited(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `DO $$ BEGIN CREATE ROLE uninvited_owner; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
		CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE TABLE t (id int PRIMARY KEY, c citext); ALTER TABLE t OWNER TO uninvited_owner`)
	out := run(t, 1, p.args("migrate", "--exclude-extension", "nosuch")...)
	if !strings.Contains(out.Stderr.String(), "no such extension: --exclude-extension nosuch") {
		t.Errorf("stderr: %s", out.Stderr.String())
	}
	out = run(t, 0, p.args("migrate", "--no-roles", "--no-owner", "--exclude-extension", "hstore", "--max-replication-lag", "0", "--stop-replication")...)
	if !strings.Contains(out.Stdout.String(), "EXTENSION hstore: it was asked to be left out") {
		t.Errorf("summary: %s", out.Stdout.String())
	}
	got := pgtest.Query(t, p.target, `SELECT (SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension),
		(SELECT count(*) FROM pg_subscription), (SELECT relowner = current_user::regrole FROM pg_class WHERE relname = 't'),
		(SELECT count(*) FROM pg_roles WHERE rolname = 'uninvited_owner')`)[0]
	if strings.Join(got, "|") != "citext plpgsql|0|t|0" {
		t.Errorf("extensions, subscriptions, own tables, roles: %v", got)
	}
}
