package roles_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/roles"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const long = `Ünï, "odd" 'role' \ with sixty-three bytes, which is all.ok`

const makeRoles = `
	CREATE ROLE boss SUPERUSER REPLICATION BYPASSRLS CREATEDB CREATEROLE;
	CREATE ROLE app LOGIN PASSWORD 'secret' CONNECTION LIMIT 7 VALID UNTIL '2031-02-03 04:05:06+00';
	CREATE ROLE "select" NOINHERIT LOGIN PASSWORD 'given away';
	CREATE ROLE rdsadmin SUPERUSER;
	CREATE ROLE left_out;
	CREATE ROLE readers;
	CREATE ROLE by_certificate LOGIN;
	CREATE ROLE "LONG";
	GRANT readers TO app WITH ADMIN OPTION;
	GRANT "LONG" TO "select";
	GRANT pg_monitor TO "LONG";
	ALTER ROLE app SET search_path TO app, "Odd, ""path", public;
	ALTER ROLE app SET log_min_duration_statement = 500;
	ALTER ROLE app SET my.setting TO 'it''s, one';
	ALTER ROLE app SET datestyle TO 'ISO, DMY';
	COMMENT ON ROLE app IS 'the application''s'`

const rolesSQL = `SELECT string_agg(concat_ws(' ', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
	rolbypassrls, rolconnlimit, coalesce(rolvaliduntil, 'infinity'), rolpassword, shobj_description(r.oid, 'pg_authid'),
	(SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0),
	(SELECT string_agg(g.rolname || m.admin_option, ',' ORDER BY g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid)),
	E'\n' ORDER BY rolname) FROM pg_authid r WHERE rolname !~ '^pg_' AND rolname NOT IN ('rdsadmin', 'left_out', 'mover')`

// TestMove makes every role with all that belongs to it, the first one of a
// cluster among them, and a second call changes nothing.
func TestMove(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, target int }{{13, 18}, {18, 18}} {
		t.Run(fmt.Sprintf("%d to %d", c.source, c.target), func(t *testing.T) {
			t.Parallel()
			source := pgtest.Start(t, c.source, nil).URI("postgres")
			dest := pgtest.Start(t, c.target, nil).URI("postgres")
			pgtest.Exec(t, source, strings.ReplaceAll(makeRoles, `"LONG"`, pgx.Identifier{long}.Sanitize()))
			if got := pgtest.Query(t, source, `SELECT rolname FROM pg_roles WHERE oid = 16384`); len(got) != 1 || got[0][0] != "boss" {
				t.Fatalf("the first role of the cluster is %v", got)
			}
			o := roles.Options{
				Source: pgtest.Connect(t, source), Target: pgtest.Connect(t, dest), Exclude: []string{"left_out"},
			}
			results := move(t, o)
			const want = `app created |boss created |by_certificate created |postgres exists |rdsadmin failed not moved: it belongs to the service that runs the source|readers created |select created |` + long + ` created `
			if got := strings.Join(results, "|"); got != want {
				t.Errorf("results\n%s, want\n%s", got, want)
			}
			if want, got := pgtest.Query(t, source, rolesSQL)[0][0], pgtest.Query(t, dest, rolesSQL)[0][0]; want != got {
				t.Errorf("source\n%s\ntarget\n%s", want, got)
			}
			pgtest.Exec(t, dest, `ALTER ROLE app CONNECTION LIMIT 8 NOLOGIN; REVOKE readers FROM app`)
			results = move(t, o)
			if got := results[0]; got != "app exists left as it is: LOGIN on the source, NOLOGIN on the target; "+
				"CONNECTION LIMIT 7 on the source, CONNECTION LIMIT 8 on the target; it is no member of readers on the target" {
				t.Errorf("a role that differs: %s", got)
			}
		})
	}
}

// TestMove_FewRights lets a role that may only create roles do what it can: what
// the target refuses is failed with the server's reason, and the others are made.
func TestMove_FewRights(t *testing.T) {
	t.Parallel()
	for _, major := range []int{13, 18} {
		source := pgtest.Start(t, major, nil).URI("postgres")
		dest := pgtest.Start(t, major, nil).URI("postgres")
		pgtest.Exec(t, source, makeRoles, `CREATE ROLE reader LOGIN`)
		pgtest.Exec(t, dest, `CREATE ROLE mover LOGIN CREATEROLE`)
		results := strings.Join(move(t, roles.Options{
			Source: pgtest.Connect(t, pgtest.As(t, source, "reader")), Target: pgtest.Connect(t, pgtest.As(t, dest, "mover")),
			Passwords: map[string]string{"select": "päss=word"},
		}), "\n")
		for _, want := range []string{
			"boss failed ", "app created its password could not be read: it has a random one; granted to mover, which makes its objects; " +
				"not taken over: SET \"log_min_duration_statement\" TO '500': permission denied",
			"readers created granted to mover", "select created granted to mover",
		} {
			if !strings.Contains(results, want) {
				t.Errorf("%d: results\n%s\nlack %q", major, results, want)
			}
		}
		const attached = `SELECT setconfig::text FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE rolname = 'app'`
		if got := pgtest.Query(t, dest, attached)[0][0]; !strings.Contains(got, `app, \"Odd, \"\"path\", public`) || strings.Contains(got, "log_min") {
			t.Errorf("%d: settings %s", major, got)
		}
		// Its objects can be given to it.
		pgtest.Exec(t, dest, `GRANT CREATE ON SCHEMA public TO mover, app`)
		pgtest.Exec(t, pgtest.As(t, dest, "mover"), `CREATE TABLE t (); ALTER TABLE t OWNER TO app`)
	}
}

// TestMove_Passwords gives the passwords of a file, and to roles whose hash cannot
// be read random ones that are told, and no password reaches the server's log.
func TestMove_Passwords(t *testing.T) {
	t.Parallel()
	source := pgtest.Start(t, 15, nil)
	dest := pgtest.Start(t, 18, map[string]string{"log_statement": "all"})
	pgtest.Exec(t, source.URI("postgres"), makeRoles, `CREATE ROLE reader LOGIN; CREATE ROLE gets LOGIN`)
	results, err := roles.Move(t.Context(), roles.Options{
		Source: pgtest.Connect(t, pgtest.As(t, source.URI("postgres"), "reader")), Target: pgtest.Connect(t, dest.URI("postgres")),
		Passwords: map[string]string{"gets": "new päss", "select": "x='1'"},
	})
	if err != nil {
		t.Fatal(err)
	}
	passwords := map[string]string{"gets": "new päss", "select": "x='1'"}
	for _, r := range results {
		if r.Name == "app" || r.Name == "reader" {
			passwords[r.Name] = r.Password
		} else if _, given := passwords[r.Name]; given && r.Password != "" {
			t.Errorf("%s was given a random password", r.Name)
		}
	}
	if len(passwords["app"]) < 20 {
		t.Errorf("a random password of %d characters", len(passwords["app"]))
	}
	log := dest.LogTail(10000)
	requirePasswords(t, dest)
	for name, password := range passwords {
		u, err := url.Parse(dest.URI("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(name, password)
		conn, err := pgx.Connect(t.Context(), u.String())
		if err != nil {
			t.Errorf("%s cannot log in: %v", name, err)
		} else if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if strings.Contains(log, password) {
			t.Errorf("the server's log holds the password of %s", name)
		}
	}
}

// TestMove_UnknownNames refuses names that are not on the source, before it changes anything.
func TestMove_UnknownNames(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, 15).URI("postgres")
	_, err := roles.Move(t.Context(), roles.Options{
		Source: pgtest.Connect(t, uri), Target: pgtest.Connect(t, uri), Exclude: []string{"no_such"}, Passwords: map[string]string{"nobody": "x"},
	})
	if err == nil || !strings.Contains(err.Error(), "--exclude-role no_such, --role-passwords of nobody") {
		t.Errorf("error: %v", err)
	}
}

func move(t *testing.T, o roles.Options) (lines []string) {
	t.Helper()
	results, err := roles.Move(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		lines = append(lines, r.Name+" "+string(r.Status)+" "+r.Message)
	}
	return lines
}

// requirePasswords lets nobody but the superuser in without one.
func requirePasswords(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	hba := "host all postgres all trust\nhost all all all scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(c.DataDir(), "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, c.URI("postgres"), `SELECT pg_reload_conf()`)
	pgtest.Eventually(t, "passwords are required", func() bool {
		conn, err := pgx.Connect(t.Context(), pgtest.As(t, c.URI("postgres"), "app"))
		if err == nil {
			err = conn.Close(t.Context())
			return err != nil
		}
		return true
	})
}
