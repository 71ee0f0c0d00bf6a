package schema_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/schema"
)

// asRole gives a database to a new role without attributes, and returns a
// connection as that role.
func asRole(t *testing.T, uri string, role string) *pgx.Conn {
	t.Helper()
	database := pgtest.Query(t, uri, "SELECT current_database()")[0][0]
	pgtest.Exec(t, uri,
		"CREATE ROLE "+role,
		fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", database, role))
	conn := pgtest.Connect(t, uri)
	if _, err := conn.Exec(t.Context(), "SET SESSION AUTHORIZATION "+role); err != nil {
		t.Fatal(err)
	}
	if err := schema.Prepare(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A role that owns the target's database and no more gets the whole schema, but
// for what is superusers' business; each such thing is a warning.
func TestApply_AsOrdinaryRole(t *testing.T) {
	t.Parallel()
	for _, major := range []int{15, 18} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			server := pgtest.Server(t, major)
			pgtest.Exec(t, server.URI("postgres"), makeOwners)
			source, target := server.Database(t, uglySQL), server.Database(t)
			entries, _ := dump(t, source, major, schema.Options{})

			warnings := restore(t, asRole(t, target, fmt.Sprintf("walferry_ordinary_%d", major)), entries)
			var objects []string
			for _, w := range warnings {
				if !strings.Contains(w.message, "OWNER TO") {
					objects = append(objects, w.object)
				}
			}
			want := []string{
				`FOREIGN DATA WRAPPER "nowhere"`, `SERVER "far"`, `USER MAPPING "USER MAPPING walferry_schema_owner SERVER far"`,
				`FOREIGN TABLE "app.remote"`, `DEFAULT ACL "app.DEFAULT PRIVILEGES FOR TABLES"`,
				`PUBLICATION "everything"`, `EVENT TRIGGER "watch_ddl"`,
			}
			if !slices.Equal(objects, want) {
				t.Errorf("warnings beside ownership: %q\nwant %q\n%v", objects, want, warnings)
			}
			const inventory = `SELECT relkind, count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
				WHERE nspname IN ('app', 'Mixed Case.dot') AND relkind <> 'f' GROUP BY 1
				UNION ALL SELECT contype, count(*) FROM pg_constraint GROUP BY 1
				UNION ALL SELECT 'trigger', count(*) FROM pg_trigger UNION ALL SELECT 'policy', count(*) FROM pg_policy ORDER BY 1, 2`
			if got, want := pgtest.Query(t, target, inventory), pgtest.Query(t, source, inventory); !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestApply_Failures(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.Server(t, 15).Database(t, "CREATE TABLE there (a int)", "CREATE SCHEMA app"))
	for _, c := range []struct {
		name    string
		entry   schema.Entry
		state   string
		warning string
		hint    string
	}{
		{"a table that exists", schema.Entry{Kind: "TABLE", Schema: "public", Name: "there", SQL: "CREATE TABLE public.there (a int);"}, "42P07", "", "--no-schema"},
		{"an unknown type", schema.Entry{Kind: "TABLE", Schema: "public", Name: "b", SQL: "CREATE TABLE public.b (a absent);"}, "42704", "", "missing"},
		{"syntax", schema.Entry{Kind: "VIEW", Schema: "public", Name: "v", SQL: "CREATE VIEW public.v FROM THE FUTURE;"}, "42601", "", "version"},
		{"an extension that is not installed", schema.Entry{Kind: "EXTENSION", Name: "absent", SQL: "CREATE EXTENSION absent;"}, "0A000", "", "install"},
		{"the schema public", schema.Entry{Kind: "SCHEMA", Name: "public", SQL: "CREATE SCHEMA public;"}, "", "already exists", ""},
		{"another schema", schema.Entry{Kind: "SCHEMA", Name: "app", SQL: "CREATE SCHEMA app;"}, "42P06", "", "--no-schema"},
		{"an owner that is absent", schema.Entry{Kind: "TABLE", Schema: "app", Name: "c", SQL: "CREATE TABLE app.c (a int);", OwnerSQL: `ALTER TABLE app.c OWNER TO "nobody";`}, "", `role "nobody" does not exist (42704): ALTER TABLE app.c OWNER TO "nobody";`, ""},
		{"a grant to two roles", schema.Entry{Kind: "ACL", Schema: "app", Name: "TABLE c", SQL: "GRANT SELECT ON TABLE app.c TO \"no;body\";\nGRANT INSERT ON TABLE app.c TO PUBLIC;"}, "", `role "no;body" does not exist`, ""},
		{"a view that cannot be filled", schema.Entry{Kind: "MATERIALIZED VIEW DATA", Schema: "app", Name: "m", SQL: "CREATE MATERIALIZED VIEW app.m AS SELECT 1/0 AS a;"}, "", "division by zero", ""},
		{"only a remark", schema.Entry{Kind: "SCHEMA", Name: "public", SQL: "-- *not* creating schema, since initdb creates it"}, "", "", ""},
	} {
		warning, err := apply(t, conn, c.entry)
		var pgErr *pgconn.PgError
		switch {
		case c.state == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.state != "" && (!errors.As(err, &pgErr) || pgErr.Code != c.state):
			t.Errorf("%s: error %v, want %s", c.name, err, c.state)
		case c.state != "" && (!strings.Contains(err.Error(), c.entry.Object()) || !strings.Contains(errors.FlattenDetails(err), c.entry.SQL) ||
			!strings.Contains(errors.FlattenHints(err), c.hint)):
			t.Errorf("%s: %v, details %q, hints %q", c.name, err, errors.FlattenDetails(err), errors.FlattenHints(err))
		}
		if !strings.Contains(warning, c.warning) || c.warning == "" && warning != "" {
			t.Errorf("%s: warning %q, want %q", c.name, warning, c.warning)
		}
	}
	var granted bool
	if err := conn.QueryRow(t.Context(), "SELECT 'app.c'::regclass IS NOT NULL AND acl.privilege_type = 'INSERT' FROM pg_class, aclexplode(relacl) acl WHERE pg_class.oid = 'app.c'::regclass AND grantee = 0").Scan(&granted); err != nil || !granted {
		t.Errorf("what could be granted is granted: %t, %v", granted, err)
	}
}

// The target's role is a member of the tables' owner, who may not create in the
// schema public there as everybody could on the source.
func TestApply_GivesAwayInPublic(t *testing.T) {
	t.Parallel()
	for _, major := range []int{15, 18} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			server := pgtest.Server(t, major)
			owner, admin := fmt.Sprintf("walferry_app_%d", major), fmt.Sprintf("walferry_admin_%d", major)
			target := server.Database(t, "CREATE ROLE "+owner)
			conn := asRole(t, target, admin)
			pgtest.Exec(t, target, fmt.Sprintf("GRANT %s TO %s", owner, admin))
			warnings := restore(t, conn, []schema.Entry{
				{Kind: "TABLE", Schema: "public", Name: "a", Owner: owner, SQL: "CREATE TABLE public.a (id int PRIMARY KEY);", OwnerSQL: "ALTER TABLE public.a OWNER TO " + owner + ";"},
				{Kind: "INDEX", Schema: "public", Name: "a_1", SQL: "CREATE INDEX a_1 ON public.a (id);"},
			})
			if len(warnings) > 0 {
				t.Errorf("warnings: %v", warnings)
			}
			got := pgtest.Query(t, target, "SELECT tableowner, has_schema_privilege($1, 'public', 'CREATE') FROM pg_tables WHERE tablename = 'a'", owner)
			if len(got) != 1 || got[0][0] != owner || got[0][1] != "f" {
				t.Errorf("owner, and whether it may create in public: %v", got)
			}
		})
	}
}
