package target_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/target"
)

// tableEntries are entries of the stage PreData that make tables t1 to tn, the one with
// the number odd replaced.
func tableEntries(n, odd int, replaced schema.Entry) []schema.Entry {
	entries := make([]schema.Entry, n)
	for i := range entries {
		name := fmt.Sprintf("t%d", i+1)
		entries[i] = schema.Entry{
			ID: int32(i + 1), Stage: schema.PreData, Kind: "TABLE", Schema: "public", Name: name,
			SQL: "CREATE TABLE public." + name + " (id int) -- its end", OwnerSQL: "ALTER TABLE public." + name + " OWNER TO postgres;",
		}
	}
	if odd > 0 {
		replaced.ID, replaced.Stage = int32(odd), schema.PreData
		entries[odd-1] = replaced
	}
	return entries
}

// recorded returns a migration with pending entries, and what runs them.
func recorded(t *testing.T, entries []schema.Entry, setup ...string) (string, *pgx.Conn, *target.Restorer) {
	t.Helper()
	uri := pgtest.Server(t, 15).Database(t, setup...)
	conn := connect(t, uri)
	m := migration(t, conn, "default")
	if err := target.AddEntries(t.Context(), conn, m.Name, entries, nil); err != nil {
		t.Fatal(err)
	}
	return uri, conn, &target.Restorer{Migration: m.Name, Jobs: 1, Connect: connectTo(uri)}
}

// states are the entries' states in order, one letter each.
func states(t *testing.T, uri string) string {
	t.Helper()
	return pgtest.Query(t, uri, `SELECT string_agg(left(state, 1), '' ORDER BY ord) FROM walferry.entry`)[0][0]
}

// tables counts the tables that were made.
func tables(t *testing.T, uri string) string {
	t.Helper()
	return pgtest.Query(t, uri, `SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^t\d'`)[0][0]
}

// TestRestorer_Groups runs many entries in few transactions.
func TestRestorer_Groups(t *testing.T) {
	t.Parallel()
	uri, _, r := recorded(t, tableEntries(230, 0, schema.Entry{}))
	var reported int
	r.Done = func(done, total int, _ target.Entry) {
		if reported = done; total != 230 {
			t.Errorf("%d of %d", done, total)
		}
	}
	if err := r.Run(t.Context(), schema.PreData); err != nil {
		t.Fatal(err)
	}
	if got := states(t, uri); got != strings.Repeat("d", 230) || tables(t, uri) != "230" || reported != 230 {
		t.Errorf("states %s, %s tables, %d reported", got, tables(t, uri), reported)
	}
	if got := pgtest.Query(t, uri, `SELECT count(DISTINCT xmin::text) FROM walferry.entry`)[0][0]; got != "3" {
		t.Errorf("in %s transactions", got)
	}
}

// TestRestorer_GroupFails has an entry in the middle of a group that ends the run: what comes
// before it is kept, and the next run goes on behind.
func TestRestorer_GroupFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		entry      schema.Entry
		want, cure string
	}{
		{
			"refused",
			schema.Entry{Kind: "TABLE", Schema: "public", Name: "bad", SQL: "CREATE TABLE public.bad (a absent);"},
			`create TABLE "public.bad" on the target`, "CREATE TABLE public.bad (a int)",
		},
		{
			"not parsed",
			schema.Entry{Kind: "VIEW", Schema: "public", Name: "bad", SQL: "CREATE VIEW public.bad FROM THE FUTURE;"},
			`create VIEW "public.bad" on the target`, "CREATE VIEW public.bad AS SELECT 1 AS a",
		},
		{
			"not in a transaction",
			schema.Entry{Kind: "INDEX", Schema: "public", Name: "bad", SQL: "CREATE INDEX CONCURRENTLY bad ON public.t1 (id);"},
			`create INDEX "public.bad" on the target: `, "CREATE INDEX bad ON public.t1 (id)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			uri, _, r := recorded(t, tableEntries(30, 11, c.entry))
			err := r.Run(t.Context(), schema.PreData)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(errors.FlattenDetails(err), "statement: "+c.entry.SQL) {
				t.Errorf("error %v, details %q, want %q", err, errors.FlattenDetails(err), c.want)
			}
			if got := states(t, uri); got != strings.Repeat("d", 10)+strings.Repeat("p", 20) || tables(t, uri) != "10" {
				t.Errorf("states %s, %s tables", got, tables(t, uri))
			}
			pgtest.Exec(t, uri, "UPDATE walferry.entry SET sql = '"+c.cure+"' WHERE name = 'bad'")
			if err := r.Run(t.Context(), schema.PreData); err != nil {
				t.Fatal(err)
			}
			if got := states(t, uri); got != strings.Repeat("d", 30) {
				t.Errorf("states %s", got)
			}
		})
	}
}

// TestRestorer_GroupIsTolerated has entries in groups that only leave warnings.
func TestRestorer_GroupIsTolerated(t *testing.T) {
	t.Parallel()
	entries := tableEntries(150, 42, schema.Entry{Kind: "ACL", Schema: "public", Name: "TABLE t41", SQL: "GRANT SELECT ON TABLE public.t41 TO nobody;\nGRANT INSERT ON TABLE public.t41 TO PUBLIC;"})
	entries[119].OwnerSQL = `ALTER TABLE public.t120 OWNER TO nobody;`
	uri, conn, r := recorded(t, entries)
	if err := r.Run(t.Context(), schema.PreData); err != nil {
		t.Fatal(err)
	}
	if got := states(t, uri); got != strings.Repeat("d", 41)+"w"+strings.Repeat("d", 77)+"w"+strings.Repeat("d", 30) || tables(t, uri) != "149" {
		t.Errorf("states %s, %s tables", got, tables(t, uri))
	}
	warnings, err := target.Warnings(t.Context(), conn, r.Migration)
	if err != nil || len(warnings) != 2 || warnings[0].Object != "public.TABLE t41" || !strings.Contains(warnings[1].Message, `role "nobody" does not exist`) {
		t.Errorf("%v, %v", warnings, err)
	}
	if got := pgtest.Query(t, uri, `SELECT relacl::text LIKE '%=a/postgres%' FROM pg_class WHERE relname = 't41'`); got[0][0] != "t" {
		t.Error("what could be granted is not granted")
	}
}

// TestRestorer_GroupIsLost loses the connection in the middle of a group: nothing of
// it is there, and the next run begins it anew.
func TestRestorer_GroupIsLost(t *testing.T) {
	t.Parallel()
	uri, _, r := recorded(t, tableEntries(130, 120, schema.Entry{
		Kind: "TABLE", Schema: "public", Name: "t120",
		SQL: "CREATE TABLE public.t120 (id int); SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()) WHERE pg_catalog.nextval('public.tries') = 1;",
	}), "CREATE SEQUENCE tries")
	if err := r.Run(t.Context(), schema.PreData); err == nil {
		t.Error("no error")
	}
	if got := states(t, uri); got != strings.Repeat("d", 100)+strings.Repeat("p", 30) || tables(t, uri) != "100" {
		t.Errorf("states %s, %s tables", got, tables(t, uri))
	}
	if err := r.Run(t.Context(), schema.PreData); err != nil {
		t.Fatal(err)
	}
	if got := states(t, uri); got != strings.Repeat("d", 130) || tables(t, uri) != "130" {
		t.Errorf("states %s, %s tables", got, tables(t, uri))
	}
}

// TestRestorer_IndexesFollowDependencies builds what depends on each other at once.
func TestRestorer_IndexesFollowDependencies(t *testing.T) {
	t.Parallel()
	var entries []schema.Entry
	for i := range int32(20) {
		// Each needs the table that the one before it makes.
		e := schema.Entry{ID: 100 + i, Stage: schema.Index, Kind: "RULE", Schema: "public", Name: fmt.Sprintf("t%d", i), SQL: fmt.Sprintf("CREATE TABLE public.t%d AS SELECT * FROM public.t%d", i, i-1)}
		if e.Dependencies = []int32{99 + i, 101 + i, 7}; i == 0 {
			e.SQL, e.Dependencies = "CREATE TABLE public.t0 AS SELECT 1 AS a", nil
		}
		entries = append(entries, e)
	}
	uri, _, r := recorded(t, entries)
	r.Jobs = 4
	if err := r.Run(t.Context(), schema.Index); err != nil {
		t.Fatal(err)
	}
	if got := states(t, uri); got != strings.Repeat("d", 20) {
		t.Errorf("states %s", got)
	}
}
