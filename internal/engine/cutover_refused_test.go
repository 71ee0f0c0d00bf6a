package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
)

// smallPair has a source with a few tables, on servers that tests share.
func smallPair(t *testing.T, statements ...string) pair {
	t.Helper()
	from, to := pgtest.Majors()
	return pair{
		source: pgtest.Server(t, from).Database(t, append([]string{
			`CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)`,
			`CREATE TABLE child (id int PRIMARY KEY, parent int CONSTRAINT "its parent" REFERENCES parent, v text)`,
			`INSERT INTO parent (v) SELECT 'p' FROM generate_series(1, 10)`,
			`INSERT INTO child SELECT i, i, 'c' FROM generate_series(1, 10) i`,
		}, statements...)...),
		target: pgtest.Server(t, to).Database(t),
	}
}

// caughtUp migrates until the target has caught up, and leaves nothing running.
func (p pair) caughtUp(t *testing.T) {
	t.Helper()
	run(t, 0, p.args("migrate", "--max-replication-lag", "0")...)
}

func (p *process) says(texts ...string) {
	p.tb.Helper()
	for _, text := range texts {
		if !strings.Contains(p.Stderr.String()+p.Stdout.String(), text) {
			p.tb.Errorf("walferry does not say %q", text)
		}
	}
}

// dropRole drops a role when the test has ended, for servers are shared.
func dropRole(t *testing.T, uri, role string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), uri)
	if err == nil {
		for _, sql := range []string{`SET default_transaction_read_only = off`, `DROP OWNED BY ` + role, `DROP ROLE ` + role} {
			if _, err = conn.Exec(context.Background(), sql); err != nil {
				break
			}
		}
		_ = conn.Close(context.Background()) // nothing depends on it
	}
	if err != nil {
		t.Errorf("drop role %s: %v", role, err)
	}
}

const fenceSettings = `SELECT coalesce(string_agg(setrole::regrole || ' ' || setconfig::text, ', ' ORDER BY setrole, setdatabase), 'none')
	FROM pg_db_role_setting WHERE setconfig::text LIKE '%default_transaction_read_only%'
	AND (setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) OR setrole = 'stubborn'::regrole)`

// TestCutover_VetoReopens has a hook refuse the decision: the source is what it was, roles
// with a setting of their own included, and the migrate that was asked to let go goes on, and
// ends when a second cutover has decided.
func TestCutover_VetoReopens(t *testing.T) {
	p := smallPair(t)
	pgtest.Exec(t, p.source, `CREATE ROLE stubborn LOGIN SUPERUSER`, `ALTER ROLE stubborn SET default_transaction_read_only = off`,
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = off', current_database()); END $$`)
	t.Cleanup(func() { dropRole(t, p.source, "stubborn") })
	before := pgtest.Query(t, p.source, fenceSettings)[0][0]
	app := use(t, p.source, 2)
	migrate := start(t, p.args("migrate")...)
	p.streaming(t, migrate)
	dir := t.TempDir()
	hook := filepath.Join(dir, "walferry-on-decide")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho the moon is wrong; exit 7\n"), 0o755); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	m := run(t, 1, p.args("cutover", "--hooks", dir)...)
	m.says("step decide", "refused", "the moon is wrong", "the source is open to writers again; nothing was decided")
	if after := pgtest.Query(t, p.source, fenceSettings)[0][0]; after != before {
		t.Errorf("settings of the source were %s, are %s", before, after)
	}
	app.writes(t)

	s := stopper{t, dir}
	m = start(t, p.args("cutover", s.before("release")...)...)
	s.reached(m)
	if !refuses(t, pgtest.As(t, p.source, "stubborn")) || !refuses(t, p.source) {
		t.Error("a role with a setting of its own writes to the closed source")
	}
	s.release()
	m.wait(0)
	m.says("set and checked", "the source was closed for")
	migrate.wait(0)
	migrate.says("hand the migration over")
	app.stop()
	app.allOn(t, p.target)
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
}

// TestCutover_WaitsForWriters does not take a position while something may still be
// committed: it gives up in time and says for what, or goes on when that is over.
func TestCutover_WaitsForWriters(t *testing.T) {
	p := smallPair(t)
	p.caughtUp(t)
	pgtest.Exec(t, p.source, `BEGIN; INSERT INTO parent (v) VALUES ('prepared'); PREPARE TRANSACTION 'late one'`)
	m := run(t, 1, p.args("cutover", "--timeout", "6s")...)
	m.says("not decided within 6s", "prepared transaction 'late one' of postgres", "COMMIT PREPARED", "open to writers again")
	if refuses(t, p.source) {
		t.Error("the source is closed after the cutover has given up")
	}
	pgtest.Exec(t, p.source, `COMMIT PREPARED 'late one'`)

	// The session of one who does not heed the default is waited for when nothing may be ended.
	conn := pgtest.Connect(t, p.source)
	if _, err := conn.Exec(t.Context(), `BEGIN; INSERT INTO parent (v) VALUES ('open')`); err != nil {
		t.Fatal(err)
	}
	m = start(t, p.args("cutover", "--fence", "none")...)
	pgtest.Eventually(t, "the cutover waits", func() bool { return strings.Contains(m.Stderr.String(), "waiting for writers") })
	if _, err := conn.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	m.wait(0)
	if got := pgtest.Query(t, p.target, `SELECT string_agg(v, ',' ORDER BY id) FROM parent WHERE v <> 'p'`)[0][0]; got != "prepared,open" {
		t.Errorf("late writers' rows on the target: %s", got)
	}
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
}

// TestCutover_LateWriteIsFound does not decide when somebody has written behind the final LSN.
func TestCutover_LateWriteIsFound(t *testing.T) {
	p := smallPair(t)
	p.caughtUp(t)
	s := stopper{t, t.TempDir()}
	m := start(t, p.args("cutover", s.before("quiet")...)...)
	s.reached(m)
	pgtest.Exec(t, p.source, `BEGIN READ WRITE; INSERT INTO parent (v) VALUES ('on purpose'); COMMIT`)
	s.release()
	m.wait(1)
	m.says("written to after the final LSN", "1 transactions", "open to writers again")
	s.clear()
	run(t, 0, p.args("cutover")...)
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
}

// TestCutover_DifferenceIsFound does not decide when the rows differ, and says where.
func TestCutover_DifferenceIsFound(t *testing.T) {
	p := smallPair(t)
	p.caughtUp(t)
	pgtest.Exec(t, p.target, `UPDATE child SET v = 'planted' WHERE id = 3`)
	run(t, 2, p.args("cutover")...).says("source and target differ in public.child", "open to writers again")
	if refuses(t, p.source) {
		t.Error("the source is still closed")
	}
	pgtest.Exec(t, p.target, `UPDATE child SET v = 'c' WHERE id = 3`)
	run(t, 0, p.args("cutover", "--verify")...).says("2 tables are equal")
}

// TestCutover_Signals refuses the first signal while the source is closed; the second opens it.
func TestCutover_Signals(t *testing.T) {
	p := smallPair(t)
	p.caughtUp(t)
	s := stopper{t, t.TempDir()}

	m := start(t, p.args("cutover", s.before("fence")...)...)
	s.reached(m)
	m.signal(syscall.SIGTERM)
	pgtest.Eventually(t, "the signal is refused", func() bool { return strings.Contains(m.Stderr.String(), "signal refused") })
	m.signal(syscall.SIGTERM)
	m.wait(1)
	m.says("aborted by a second signal", "open")
	if refuses(t, p.source) {
		t.Error("the source is closed after an aborted cutover")
	}
	m = start(t, p.args("cutover", s.before("analyze")...)...)
	s.reached(m)
	m.signal(syscall.SIGINT)
	pgtest.Eventually(t, "the signal is refused", func() bool { return strings.Contains(m.Stderr.String(), "signal refused") })
	if !m.running() || !refuses(t, p.source) {
		t.Error("the first signal ended the cutover")
	}
	second := run(t, 1, p.args("cutover")...)
	second.says("already being run", "walferry cutover of ", "since 20")
	s.release()
	m.wait(0)
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
}

// TestCutover_BrokenKey leaves a foreign key that the source's own rows break NOT VALID, and says so.
func TestCutover_BrokenKey(t *testing.T) {
	p := smallPair(t, `SET session_replication_role = replica; INSERT INTO child VALUES (99, 99, 'orphan')`)
	p.caughtUp(t)
	m := run(t, 0, p.args("cutover")...)
	m.says(`foreign key its parent of public.child is left NOT VALID`, "(parent)=(99)")
	if got := pgtest.Query(t, p.target, `SELECT convalidated::text FROM pg_constraint WHERE conname = 'its parent'`)[0][0]; got != "false" {
		t.Error("the broken key is valid")
	}
	if got := pgtest.Query(t, p.target, `SELECT attidentity FROM pg_attribute WHERE attrelid = 'parent'::regclass AND attname = 'id'`)[0][0]; got != "a" {
		t.Errorf("identity is %q", got)
	}
}

// TestCutover_FewRights blocks before anything is changed, where the source may not be closed.
func TestCutover_FewRights(t *testing.T) {
	p := smallPair(t)
	p.caughtUp(t)
	pgtest.Exec(t, p.source, `CREATE ROLE passer_by LOGIN REPLICATION`, `GRANT pg_read_all_data TO passer_by`)
	owner := p.source
	t.Cleanup(func() { dropRole(t, owner, "passer_by") })
	p.source = pgtest.As(t, p.source, "passer_by")
	m := run(t, 2, p.args("cutover")...)
	m.says("may not change the settings of the source's database", "--fence none")
	if refuses(t, owner) {
		t.Error("the source was closed")
	}
	run(t, 0, p.args("cutover", "--fence", "none", "--dry-run")...)
}
