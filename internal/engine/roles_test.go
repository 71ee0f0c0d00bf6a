package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// TestEndToEnd_RolesOwnWhatTheyOwned moves roles before the schema, so that owners
// and grants hold, tells what became of them, and keeps passwords to itself.
func TestEndToEnd_RolesOwnWhatTheyOwned(t *testing.T) {
	t.Parallel()
	from, to := pgtest.Majors()
	server := pgtest.Start(t, from, nil)
	p := pair{target: pgtest.Start(t, to, nil).Database(t)}
	p.source = server.Database(t, `CREATE ROLE "App Owner" LOGIN; CREATE ROLE readers; CREATE ROLE app LOGIN IN ROLE readers;
		CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO "App Owner"; GRANT SELECT ON t TO readers;
		ALTER DEFAULT PRIVILEGES FOR ROLE "App Owner" GRANT SELECT ON TABLES TO readers;
		ALTER ROLE app SET search_path = app, public`)
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("app=very secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, 0, p.args("migrate", "--method", "dump", "--role-passwords", file, "--show-passwords")...)
	summary := out.Stdout.String()
	if !strings.Contains(summary, "roles: 3 created, 1 existed, 0 failed") || strings.Contains(summary, ": password ") {
		t.Errorf("summary: %s", summary)
	}
	if strings.Contains(summary+out.Stderr.String(), "very secret") {
		t.Error("a given password was printed")
	}
	p.same(t, `SELECT relowner::regrole || relacl[2]::text FROM pg_class WHERE relname = 't'`)
	p.same(t, `SELECT defaclrole::regrole || defaclacl[2]::text FROM pg_default_acl`)
	p.same(t, `SELECT setconfig::text FROM pg_db_role_setting`)
	// Nothing is lost of what is there when it is run once more.
	if again := run(t, 0, p.args("migrate", "--method", "dump")...); !strings.Contains(again.Stdout.String(), "roles: 3 created") {
		t.Errorf("the summary of a finished migration: %s", again.Stdout.String())
	}
}

// TestEndToEnd_RolesLeftOut refuses to leave out what is not there, and leaves
// roles out otherwise: objects stay with the role that migrates, with a warning.
func TestEndToEnd_RolesLeftOut(t *testing.T) {
	t.Parallel()
	from, to := pgtest.Majors()
	server := pgtest.Start(t, from, nil)
	p := pair{target: pgtest.Start(t, to, nil).Database(t)}
	p.source = server.Database(t, `CREATE ROLE owner1; CREATE ROLE owner2; CREATE TABLE t (); ALTER TABLE t OWNER TO owner1; CREATE TABLE u (); ALTER TABLE u OWNER TO owner2`)
	out := run(t, 1, p.args("migrate", "--method", "dump", "--exclude-role", "nobody")...)
	if !strings.Contains(out.Stderr.String(), "the source has no such role: --exclude-role nobody") {
		t.Errorf("stderr: %s", out.Stderr.String())
	}
	out = run(t, 0, p.args("migrate", "--method", "dump", "--exclude-role", "owner2")...)
	if s := out.Stdout.String(); !strings.Contains(s, `TABLE public.u: role "owner2" does not exist`) {
		t.Errorf("summary: %s", s)
	}
	got := pgtest.Query(t, p.target, `SELECT string_agg(relowner::regrole::text, ' ' ORDER BY relname) FROM pg_class WHERE relname IN ('t', 'u')`)
	if got[0][0] != "owner1 postgres" {
		t.Errorf("owners: %s", got[0][0])
	}
}
