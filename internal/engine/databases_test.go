package engine_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
	"github.com/walferry/walferry/internal/status"
)

// cluster is two servers with several databases.
type cluster struct {
	pair
	from, to *pgtest.Cluster
}

// uglyNames are legal names of everything: reserved, mixed case, with every sign
// that means something somewhere, as long as a name may be.
var uglyNames = []string{
	"select", "Mixed Case", `my-db "q" 'x'`, `a.b/c\d%e$f&g=h?i#j@k:l`, "ünï-cödé 数据库", strings.Repeat("long_", 12) + "xyz",
}

// newCluster makes a database for each name on the source, with a schema, a table,
// columns, a sequence, an index, a view and an owner of that name.
func newCluster(t *testing.T, names ...string) *cluster {
	t.Helper()
	from, to := pgtest.Majors()
	c := &cluster{from: pgtest.Start(t, from, nil), to: pgtest.Start(t, to, nil)}
	for i, name := range names {
		q := pgx.Identifier{name}.Sanitize()
		pgtest.Exec(t, c.from.URI("postgres"), "CREATE DATABASE "+q, "CREATE ROLE "+q)
		uri := c.from.URI(name)
		conn := pgtest.Connect(t, uri)
		for _, sql := range []string{
			"CREATE SCHEMA " + q + " AUTHORIZATION " + q,
			"CREATE ROLE granted_in_" + strconv.Itoa(i) + "; GRANT TEMP ON DATABASE " + q + " TO granted_in_" + strconv.Itoa(i) + " WITH GRANT OPTION",
			"CREATE TABLE " + q + "." + q + " (" + q + " int PRIMARY KEY, v text DEFAULT 'x')",
			"ALTER TABLE " + q + "." + q + " OWNER TO " + q,
			"CREATE SEQUENCE " + q + `."` + `s"; SELECT nextval('` + strings.ReplaceAll(q, "'", "''") + `."s"')`,
			"CREATE INDEX ON " + q + "." + q + " (v)",
			"CREATE MATERIALIZED VIEW " + q + ".m AS SELECT count(*) AS " + q + " FROM " + q + "." + q,
			"INSERT INTO " + q + "." + q + " SELECT generate_series(1, 100)",
			"COMMENT ON DATABASE " + q + " IS 'it''s a \\ database'",
			"ALTER DATABASE " + q + " SET search_path TO " + q + ", public",
			"ALTER ROLE " + q + " IN DATABASE " + q + " SET work_mem = '5MB'",
			"GRANT CONNECT ON DATABASE " + q + " TO " + q + " WITH GRANT OPTION",
			"ALTER DATABASE " + q + " OWNER TO " + q,
			"SELECT lo_from_bytea(4711, convert_to(current_database(), 'UTF8'))",
		} {
			if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
	c.pair = pair{source: c.from.URI("postgres"), target: c.to.URI("postgres")}
	return c
}

// insert writes a row into each database's table.
func (c *cluster) insert(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		q := pgx.Identifier{name}.Sanitize()
		pgtest.Exec(t, c.from.URI(name), "INSERT INTO "+q+"."+q+" SELECT max("+q+") + 1 FROM "+q+"."+q)
	}
}

const databaseSQL = `SELECT concat_ws(' ', datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype,
	shobj_description(d.oid, 'pg_database'),
	(SELECT string_agg(a, ' ' ORDER BY a) FROM (SELECT concat(g.grantee::regrole, g.privilege_type, g.is_grantable) a FROM aclexplode(datacl) g WHERE g.grantee <> datdba) a),
	(SELECT string_agg(s, ' ' ORDER BY s) FROM (SELECT concat_ws(' ', setrole::regrole, setconfig) s FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) s))
	FROM pg_database d WHERE datname = current_database()`

// TestEndToEnd_DatabasesOfAnyName moves all databases of a server, with everything
// named in every legal way, stopped and resumed, and reports those that cannot be
// reached as skipped.
func TestEndToEnd_DatabasesOfAnyName(t *testing.T) {
	c := newCluster(t, uglyNames...)
	pgtest.Exec(t, c.source, `CREATE DATABASE closed`, `ALTER DATABASE closed ALLOW_CONNECTIONS false`)
	m := start(t, c.args("migrate", "--all-databases")...)
	pgtest.Eventually(t, "all databases stream", func() bool {
		if !m.running() {
			t.Fatal("walferry ended")
		}
		streaming := 0
		for _, d := range c.status(t) {
			if d.Phase == "streaming" {
				streaming++
			}
		}
		return streaming == len(uglyNames)+1 // and postgres
	})
	c.insert(t, uglyNames...)
	if v := c.verify(t, 0); !v.Aligned || len(v.Tables) < len(uglyNames) || v.Tables[0].Database == "" {
		t.Errorf("verified %+v", v)
	}
	m.signal(syscall.SIGTERM)
	m.wait(3)
	c.insert(t, uglyNames...)
	out := run(t, 0, c.args("migrate", "--all-databases", "--json", "--max-replication-lag", "0", "--stop-replication")...)
	var s status.Summary
	if err := json.Unmarshal([]byte(out.Stdout.String()), &s); err != nil {
		t.Fatal(err)
	}
	results := map[string]status.DatabaseResult{}
	for _, d := range s.Databases {
		results[d.Database] = d
	}
	if d := results["closed"]; d.Status != "skipped" || !strings.Contains(d.Message, "refuses connections") {
		t.Errorf("closed: %+v", d)
	}
	for _, name := range uglyNames {
		d := results[name]
		if d.Status != "done" || d.Method != "replication" || d.Summary == nil || len(d.Summary.Warnings) > 0 {
			t.Errorf("%s: %+v %+v", name, d, d.Summary)
		}
		one := pair{source: c.from.URI(name), target: c.to.URI(name)}
		pgtest.Compare(t, one.source, one.target, rowdiff.Options{Sequences: true})
		one.same(t, databaseSQL)
		one.same(t, `SELECT convert_from(lo_get(4711), 'UTF8')`)
		one.same(t, `SELECT string_agg(concat_ws(' ', relnamespace::regnamespace, relname, relkind, relowner::regrole), ',' ORDER BY relname) FROM pg_class
			WHERE relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'walferry')`)
		one.nothingLeft(t)
	}
	if len(s.Roles) != 2*len(uglyNames)+1 {
		t.Errorf("roles: %+v", s.Roles)
	}
	run(t, 0, c.args("cleanup", "--yes")...)
	for _, name := range uglyNames {
		if got := pgtest.Query(t, c.to.URI(name), `SELECT count(*) FROM pg_namespace WHERE nspname = 'walferry'`)[0][0]; got != "0" {
			t.Errorf("cleanup left the schema walferry in %s", name)
		}
	}
}

// status asks for the state of all databases; none while there is nothing to tell.
func (c *cluster) status(t *testing.T) []status.Database {
	t.Helper()
	p := start(t, c.args("status", "--json")...)
	<-p.Exited()
	var s status.Status
	if p.Cmd.ProcessState.ExitCode() != 0 || json.Unmarshal([]byte(p.Stdout.String()), &s) != nil {
		return nil
	}
	return s.Databases
}

// TestEndToEnd_DatabasesOneFails goes on with the others when one cannot be moved,
// and says so with exit status 1.
func TestEndToEnd_DatabasesOneFails(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "good", "bad")
	// What a preflight does not see.
	const unseen = `CREATE TEXT SEARCH CONFIGURATION public.f (COPY = pg_catalog.simple)`
	pgtest.Exec(t, c.from.URI("bad"), unseen)
	pgtest.Exec(t, c.target, `CREATE DATABASE bad`)
	pgtest.Exec(t, c.to.URI("bad"), unseen)
	out := run(t, 1, c.args("migrate", "--database", "good", "--database", "bad", "--method", "dump", "--json")...)
	var s status.Summary
	if err := json.Unmarshal([]byte(out.Stdout.String()), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Databases) != 2 || s.Databases[0].Status != "failed" || s.Databases[0].Message == "" || s.Databases[1].Status != "done" {
		t.Errorf("%+v", s.Databases)
	}
	pgtest.Compare(t, c.from.URI("good"), c.to.URI("good"), rowdiff.Options{Sequences: true})
	for _, args := range [][]string{{"--database", "nosuch"}, {"--exclude-database", "nosuch"}, {"--database", "good", "--exclude-database", "good"}} {
		out := run(t, 1, c.args("migrate", args...)...)
		if e := out.Stderr.String(); !strings.Contains(e, "the source has no database nosuch") && !strings.Contains(e, "no database is left to move") {
			t.Errorf("%v: %s", args, e)
		}
	}
	// One that has no connection to spare at the moment is not left out in silence.
	pgtest.Exec(t, c.source, `CREATE ROLE mover LOGIN`, `ALTER DATABASE bad CONNECTION LIMIT 0`)
	mover := pair{source: pgtest.As(t, c.source, "mover"), target: c.target}
	run(t, 1, mover.args("migrate", "--all-databases")...).says(`too many connections for database "bad"`, "--exclude-database")
	pgtest.Exec(t, c.target, `DROP DATABASE good`)
	out = run(t, 1, c.args("migrate", "--database", "good", "--no-createdb")...)
	if e := out.Stderr.String(); !strings.Contains(e, `database "good" does not exist`) || !strings.Contains(e, "leave out --no-createdb") {
		t.Errorf("stderr: %s", e)
	}
}
