package schema_test

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/workload"
)

//go:embed testdata/own.sql
var ownSQL string

//go:embed testdata/superuser.sql
var superuserSQL string

//go:embed testdata/since15.sql
var since15SQL string

//go:embed testdata/since18.sql
var since18SQL string

// places keeps two tests from making one server's tablespace together.
var places sync.Mutex

// makePlace makes the server's tablespace, which databases share.
func makePlace(t *testing.T, uri string) {
	t.Helper()
	places.Lock()
	defer places.Unlock()
	if len(pgtest.Query(t, uri, "SELECT FROM pg_tablespace WHERE spcname = 'walferry_place'")) == 0 {
		conn := pgtest.Connect(t, uri)
		for _, sql := range []string{"SET allow_in_place_tablespaces = on", "CREATE TABLESPACE walferry_place LOCATION ''"} {
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
}

const makeOwners = `DO $$ BEGIN CREATE ROLE walferry_schema_owner; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
DO $$ BEGIN CREATE ROLE "walferry ""odd""; role"; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$`

// The definitions of an ugly database, run one by one, make a database whose
// dump is the same text as that of one that pg_restore made.
func TestDump_RestoresTheSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, target, dump int }{
		{13, 13, 18}, {13, 18, 18}, {15, 15, 15}, {15, 17, 17}, {18, 18, 18},
	} {
		t.Run(fmt.Sprintf("%d to %d by %d", c.source, c.target, c.dump), func(t *testing.T) {
			t.Parallel()
			sourceServer, targetServer := pgtest.Server(t, c.source), pgtest.Server(t, c.target)
			pgtest.Exec(t, sourceServer.URI("postgres"), makeOwners)
			pgtest.Exec(t, targetServer.URI("postgres"), makeOwners)
			script := []string{uglySQL, superuserSQL}
			if c.source >= 15 {
				makePlace(t, sourceServer.URI("postgres"))
				makePlace(t, targetServer.URI("postgres"))
				script = append(script, since15SQL)
			}
			if c.source >= 18 {
				script = append(script, since18SQL)
			}
			source, target := sourceServer.Database(t, script...), targetServer.Database(t)
			want := referenceScript(t, source, targetServer.Database(t), c.target)
			pgtest.Exec(t, source, ownSQL)
			entries, leftOut := dump(t, source, c.dump, schema.Options{})
			pgtest.Exec(t, source, "ALTER SUBSCRIPTION incoming SET (slot_name = NONE)", "DROP SUBSCRIPTION incoming")

			if warnings := restore(t, connect(t, target), entries); len(warnings) > 0 {
				t.Errorf("warnings: %v", warnings)
			}
			sameText(t, schemaText(t, target, c.target), want)
			var names []string
			for _, l := range leftOut {
				names = append(names, l.Kind+" "+l.Name)
			}
			slices.Sort(names)
			if want := []string{"PUBLICATION walferry_default_x", "SUBSCRIPTION incoming"}; !slices.Equal(names, want) {
				t.Errorf("left out: %q, want %q", names, want)
			}
			filled := pgtest.Query(t, target, "SELECT string_agg(matviewname, ' ' ORDER BY matviewname) FROM pg_matviews WHERE ispopulated")
			if filled[0][0] != "summary summary2" && filled[0][0] != "keyed summary summary2" {
				t.Errorf("filled: %v", filled)
			}
		})
	}
}

func TestDump_Stages(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, 15)
	pgtest.Exec(t, server.URI("postgres"), makeOwners)
	entries, _ := dump(t, server.Database(t, uglySQL), 15, schema.Options{})
	kinds := map[schema.Stage][]string{}
	stages := map[string]schema.Stage{}
	for _, e := range entries {
		if !slices.Contains(kinds[e.Stage], e.Kind) {
			kinds[e.Stage] = append(kinds[e.Stage], e.Kind)
		}
		stages[e.Object()] = e.Stage
	}
	if got, want := strings.Join(kinds[schema.Index], ", "), "CONSTRAINT, INDEX, COMMENT, INDEX ATTACH, STATISTICS, RULE"; got != want {
		t.Errorf("stage Index: %s", got)
	}
	want := "CHECK CONSTRAINT, RULE, TRIGGER, COMMENT, FK CONSTRAINT, ROW SECURITY, POLICY, PUBLICATION, PUBLICATION TABLE, ACL, " +
		"EVENT TRIGGER, MATERIALIZED VIEW DATA"
	if got := strings.Join(kinds[schema.Finish], ", "); got != want {
		t.Errorf("stage Finish: %s", got)
	}
	for object, want := range map[string]schema.Stage{
		`RULE "app.grouped _RETURN"`:                                  schema.Index,
		`RULE "app.simple quiet"`:                                     schema.Finish,
		`COMMENT "app.CONSTRAINT \"nick \"\"short\"\"\" ON customer"`: schema.PreData,
		`COMMENT "app.INDEX customer_lower"`:                          schema.Index,
		`COMMENT "app.TRIGGER always ON customer"`:                    schema.Finish,
	} {
		if stages[object] != want {
			t.Errorf("%s is in stage %q, want %q", object, stages[object], want)
		}
	}
}

// An entry's text is exactly the object's: what looks like the beginning of the
// next one inside of a function's body changes nothing.
func TestDump_TextInsideOfFunctions(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, 15)
	pgtest.Exec(t, server.URI("postgres"), makeOwners)
	source := server.Database(t, uglySQL)
	entries, _ := dump(t, source, 15, schema.Options{})
	body := pgtest.Query(t, source, "SELECT prosrc FROM pg_proc WHERE proname = 'fake'")[0][0]
	i := slices.IndexFunc(entries, func(e schema.Entry) bool { return e.Kind == "FUNCTION" && e.Name == "fake()" })
	if i < 0 || !strings.Contains(entries[i].SQL, "$"+body+"$") {
		t.Fatalf("entry of app.fake(): %q\nwant in it %q", entries[i].SQL, body)
	}
	if entries[i].OwnerSQL != `ALTER FUNCTION app.fake() OWNER TO "walferry_schema_owner";` {
		t.Errorf("owner: %s", entries[i].OwnerSQL)
	}
}

func TestDump_Options(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 15).Database(t, "CREATE SCHEMA app", "CREATE SCHEMA other", "CREATE TABLE app.a (a int)", "CREATE TABLE other.b (b int)")
	conn := connect(t, source)
	tx, err := conn.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	var snapshot string
	if err := tx.QueryRow(t.Context(), "SELECT pg_catalog.pg_export_snapshot()").Scan(&snapshot); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, source, "CREATE TABLE app.later (a int)")
	entries, _ := dump(t, source, 15, schema.Options{Snapshot: snapshot, ExcludeSchemas: []string{"oth*"}, NoOwner: true})
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	var objects []string
	for _, e := range entries {
		objects = append(objects, e.Object())
		if e.OwnerSQL != "" {
			t.Errorf("%s: %s", e.Object(), e.OwnerSQL)
		}
	}
	if want := []string{`SCHEMA "app"`, `TABLE "app.a"`}; !slices.Equal(objects, want) {
		t.Errorf("got %q, want %q", objects, want)
	}
}

func TestDump_Failure(t *testing.T) {
	t.Parallel()
	_, _, err := schema.Dump(t.Context(), schema.Options{
		PGBin: findPGBin(t, 15), Conninfo: pgtest.Server(t, 15).URI("no_such_database"),
	})
	if err == nil || !strings.Contains(errors.FlattenDetails(err), `database "no_such_database" does not exist`) {
		t.Errorf("error %v, details %q", err, errors.FlattenDetails(err))
	}
}

// The workload's schema arrives too, with nothing but its own definitions.
func TestDump_Workload(t *testing.T) {
	t.Parallel()
	sourceMajor, targetMajor := pgtest.Majors()
	source, target := pgtest.Server(t, sourceMajor).Database(t, workload.UglySchema), pgtest.Server(t, targetMajor).Database(t)
	want := referenceScript(t, source, pgtest.Server(t, targetMajor).Database(t), targetMajor)
	entries, leftOut := dump(t, source, targetMajor, schema.Options{})
	if warnings := restore(t, connect(t, target), entries); len(warnings)+len(leftOut) > 0 {
		t.Errorf("warnings: %v, left out: %v", warnings, leftOut)
	}
	sameText(t, schemaText(t, target, targetMajor), want)
}
