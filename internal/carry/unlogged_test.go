package carry_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/carry"
	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/target"
)

// TestUnloggedTables copies them, replaces what it copied before, and refuses
// rows of others.
func TestUnloggedTables(t *testing.T) {
	t.Parallel()
	const ddl = `CREATE UNLOGGED TABLE "Un logged" (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED);
		CREATE UNLOGGED TABLE child (id int REFERENCES "Un logged")`
	source := pgtest.Server(t, 15).Database(t, ddl, `INSERT INTO "Un logged" SELECT generate_series(1, 5); INSERT INTO child VALUES (3)`)
	dest := destination(t, 18, ddl)
	conn := connect(t, dest)
	names := []catalog.Name{{Schema: "public", Name: "Un logged"}, {Schema: "public", Name: "child"}}
	for _, n := range names {
		err := target.AddTables(t.Context(), conn, "default", []target.Table{{Namespace: n.Schema, Name: n.Name, State: target.TableSkipped, Reason: "unlogged"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	o := carry.UnloggedOptions{Source: connectTo(source), Target: connectTo(dest), Migration: "default", Tables: names, Jobs: 1}
	pgtest.Exec(t, dest, `INSERT INTO "Un logged" VALUES (77)`)
	err := carry.UnloggedTables(t.Context(), o)
	if !errors.Is(err, carry.ErrNotEmpty) || !strings.Contains(err.Error(), "public.Un logged") {
		t.Errorf("error: %v", err)
	}
	pgtest.Exec(t, dest, `TRUNCATE child, "Un logged"`)
	for _, change := range []string{`SELECT`, `DELETE FROM child; DELETE FROM "Un logged" WHERE id < 3; INSERT INTO "Un logged" VALUES (9)`} {
		pgtest.Exec(t, source, change)
		// As the engine's connections do.
		pgtest.Exec(t, dest, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$`)
		if err := carry.UnloggedTables(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		const rows = `SELECT string_agg(id || ':' || g, ' ' ORDER BY id) || '/' || (SELECT count(*) FROM child) FROM "Un logged"`
		if want, got := pgtest.Query(t, source, rows)[0][0], pgtest.Query(t, dest, rows)[0][0]; want != got {
			t.Errorf("the source has %s, the target %s", want, got)
		}
	}
	tables, err := target.Tables(t.Context(), conn, "default")
	if err != nil || tables[0].State != target.TableReady || tables[0].Rows != 4 || tables[0].Reason != "" {
		t.Errorf("%+v, %v", tables, err)
	}
}

// TestRefreshViews refreshes views that read from views in order, leaves empty what
// is empty on the source, and names what cannot be refreshed.
func TestRefreshViews(t *testing.T) {
	t.Parallel()
	const ddl = `CREATE TABLE t (id int, d int);
		CREATE MATERIALIZED VIEW z AS SELECT id, 1 / d AS q FROM t WITH NO DATA;
		CREATE VIEW "Y" AS SELECT count(*) AS n FROM z;
		CREATE MATERIALIZED VIEW a AS SELECT n FROM "Y" WITH NO DATA;
		CREATE MATERIALIZED VIEW never AS SELECT 1 AS x WITH NO DATA;
		CREATE MATERIALIZED VIEW broken AS SELECT 1 / count(*) AS q FROM t WITH NO DATA;
		INSERT INTO t VALUES (1, 1)`
	source := pgtest.Server(t, 15).Database(t, ddl, `REFRESH MATERIALIZED VIEW z; REFRESH MATERIALIZED VIEW a; REFRESH MATERIALIZED VIEW broken`)
	dest := destination(t, 18, ddl, `CREATE OR REPLACE FUNCTION noop() RETURNS void LANGUAGE sql AS ''`)
	pgtest.Exec(t, dest, `ALTER MATERIALIZED VIEW broken RENAME TO good`,
		`CREATE MATERIALIZED VIEW broken AS SELECT 1 / (count(*) - 1) AS q FROM t WITH NO DATA`)
	warnings, err := carry.RefreshViews(t.Context(), connect(t, source), connect(t, dest))
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "public.broken was not refreshed: division by zero") {
		t.Errorf("%q, %v", warnings, err)
	}
	if got := pgtest.Query(t, dest, `SELECT n FROM a`)[0][0]; got != "1" {
		t.Errorf("a holds %s", got)
	}
	if got := pgtest.Query(t, dest, `SELECT relispopulated FROM pg_class WHERE relname = 'never'`)[0][0]; got != "f" {
		t.Error("a view was filled that is empty on the source")
	}
}

// TestAnalyze gathers statistics of tables and names those that the role may not.
func TestAnalyze(t *testing.T) {
	t.Parallel()
	dest := destination(t, 18, makeObjectRoles, `CREATE TABLE mine (id int); CREATE TABLE theirs (id int);
		INSERT INTO mine SELECT generate_series(1, 10); ALTER TABLE mine OWNER TO walferry_lo_owner`)
	warnings, err := carry.Analyze(t.Context(), connectTo(pgtest.As(t, dest, "walferry_lo_owner")), 2,
		[]catalog.Name{{Schema: "public", Name: "mine"}, {Schema: "public", Name: "theirs"}, {Schema: "public", Name: "gone"}})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "public.theirs was not analyzed") {
		t.Errorf("%q, %v", warnings, err)
	}
	if got := pgtest.Query(t, dest, `SELECT reltuples FROM pg_class WHERE relname = 'mine'`)[0][0]; got != "10" {
		t.Errorf("reltuples %s", got)
	}
}
