package snapshot_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/snapshot"
)

// uglySchema holds what a copy can trip over; uglyRows fills it.
const uglySchema = `
	CREATE SCHEMA "My ""Schema""";
	CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
	CREATE TABLE "My ""Schema"""."Select" ("Id" int, "a""b" text, "Ünï" mood[]);
	CREATE TABLE identity (id bigint GENERATED ALWAYS AS IDENTITY, twice bigint GENERATED ALWAYS AS (id * 2) STORED, note text);
	CREATE TABLE nothing ();
	CREATE TABLE vacant (id int, note text);
	CREATE TABLE wide (id int, big text, bytes bytea);
	CREATE TABLE root (id int, note text) PARTITION BY RANGE (id);
	CREATE TABLE leaf1 PARTITION OF root FOR VALUES FROM (0) TO (100);
	CREATE TABLE leaf2 (note text, id int);
	ALTER TABLE root ATTACH PARTITION leaf2 FOR VALUES FROM (100) TO (200);
	CREATE TABLE reordered (a int, b int);
	CREATE TABLE parent (id int);
	CREATE TABLE child () INHERITS (parent);`

const uglyRows = `
	INSERT INTO "My ""Schema"""."Select" VALUES
		(1, E'tab\t newline\n return\r backslash\\ \\.', '{sad,"it''s ok",NULL}'), (2, NULL, NULL), (3, '', '{}'), (4, E'\\N', NULL), (5, E'\\.', NULL);
	INSERT INTO identity (id, note) OVERRIDING SYSTEM VALUE SELECT g * 10, 'n' || g FROM generate_series(1, 1000) g;
	INSERT INTO nothing SELECT FROM generate_series(1, 3);
	INSERT INTO wide SELECT g, repeat(md5(g::text), g * 3000), decode(repeat(md5(g::text), 5000), 'hex') FROM generate_series(1, 20) g;
	INSERT INTO root SELECT g, 'p' || g FROM generate_series(0, 199) g;
	INSERT INTO reordered VALUES (1, 2);
	INSERT INTO parent VALUES (1), (2);
	INSERT INTO child VALUES (3);`

func uglyTables(binary bool) []snapshot.Table {
	tables := []snapshot.Table{
		{Namespace: `My "Schema"`, Name: "Select", Columns: []string{"Ünï", "Id", `a"b`}},
		{Namespace: "public", Name: "identity"},
		{Namespace: "public", Name: "nothing"},
		{Namespace: "public", Name: "vacant", Columns: []string{"id", "note"}},
		{Namespace: "public", Name: "wide", Columns: []string{"id", "big", "bytes"}, Bytes: 1 << 20},
		{Namespace: "public", Name: "root", Descendants: true},
		{Namespace: "public", Name: "reordered"},
		{Namespace: "public", Name: "parent", Columns: []string{"id"}},
		{Namespace: "public", Name: "child", Columns: []string{"id"}},
	}
	for i := range tables {
		tables[i].Binary = binary
	}
	return tables
}

func TestRun_CopiesEveryKindOfTable(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ binary, truncate bool }{
		"text":               {},
		"binary":             {binary: true},
		"text, truncating":   {truncate: true},
		"binary, truncating": {binary: true, truncate: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := databases(t)
			pgtest.Exec(t, source, uglySchema, uglyRows)
			pgtest.Exec(t, target, uglySchema, "DROP TABLE reordered; CREATE TABLE reordered (b int, extra int DEFAULT 7, a int)")
			tables := uglyTables(tc.binary)
			if tc.truncate {
				pgtest.Exec(t, target, uglyRows)
				for i := range tables {
					tables[i].Truncate = true
				}
			}
			var mu sync.Mutex
			bytes := map[string]int64{}
			o := options(source, target)
			o.Progress = func(p snapshot.Progress) {
				mu.Lock()
				defer mu.Unlock()
				bytes[p.Table.String()] = p.Result.Bytes
			}
			if err := snapshot.Run(t.Context(), o, tables); err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{`"My ""Schema"""."Select"`, "identity", "nothing", "vacant", "wide", "root", "leaf2", "parent", "child"} {
				hasRows(t, target, table, rowsOf(t, source, table))
			}
			hasRows(t, target, "reordered", [][]string{{"(2,7,1)"}})
			want := map[string]string{
				`My "Schema".Select`: "5", "public.identity": "1000", "public.nothing": "3", "public.vacant": "0", "public.wide": "20",
				"public.root": "200", "public.reordered": "1", "public.parent": "2", "public.child": "1",
			}
			ledger := pgtest.Query(t, target, "SELECT name, rows FROM ledger")
			if len(ledger) != len(want) {
				t.Errorf("ledger has %d rows, want %d", len(ledger), len(want))
			}
			for _, row := range ledger {
				if want[row[0]] != row[1] {
					t.Errorf("ledger: %s has %s rows, want %s", row[0], row[1], want[row[0]])
				}
			}
			if n := bytes["public.wide"]; n < 20*5000*16 {
				t.Errorf("progress of public.wide ended at %d bytes", n)
			}
		})
	}
}

func TestRun_TruncatedTablesAreWrittenFrozen(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	pgtest.Exec(t, source, "CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 10000) g")
	pgtest.Exec(t, target, "CREATE TABLE t (id int)")
	table := snapshot.Table{Namespace: "public", Name: "t", Columns: []string{"id"}, Truncate: true}
	if err := snapshot.Run(t.Context(), options(source, target), []snapshot.Table{table}); err != nil {
		t.Fatal(err)
	}
	// ANALYZE counts the bits of the visibility map, which only VACUUM and FREEZE set.
	pgtest.Exec(t, target, "ALTER TABLE t SET (autovacuum_enabled = off)", "ANALYZE t")
	if got := pgtest.Query(t, target, "SELECT relallvisible > 0, reltuples FROM pg_class WHERE relname = 't'"); got[0][0] != "t" || got[0][1] != "10000" {
		t.Errorf("some pages all visible, rows: %v", got[0])
	}
}

// TestRun_SmallTablesKeepTheirFile copies into empty tables: frozen where that is worth a new file.
func TestRun_SmallTablesKeepTheirFile(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	pgtest.Exec(t, source, "CREATE TABLE large AS SELECT g AS id FROM generate_series(1, 10000) g", "CREATE TABLE small AS SELECT 1 AS id")
	pgtest.Exec(t, target, "CREATE TABLE large (id int) WITH (autovacuum_enabled = off)", "CREATE TABLE small (id int)")
	const files = "SELECT relfilenode FROM pg_class WHERE relname IN ('large', 'small') ORDER BY relname"
	before := pgtest.Query(t, target, files)
	err := snapshot.Run(t.Context(), options(source, target), []snapshot.Table{{Namespace: "public", Name: "large"}, {Namespace: "public", Name: "small"}})
	if err != nil {
		t.Fatal(err)
	}
	after := pgtest.Query(t, target, files)
	if before[0][0] == after[0][0] || before[1][0] != after[1][0] {
		t.Errorf("files before %v and after %v", before, after)
	}
	pgtest.Exec(t, target, "ANALYZE large")
	if got := pgtest.Query(t, target, "SELECT relallvisible > 0 FROM pg_class WHERE relname = 'large'"); got[0][0] != "t" {
		t.Error("the large table is not frozen")
	}
	hasRows(t, target, "small", [][]string{{"(1)"}})
}

func TestRun_ReadsTheGivenSnapshot(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	const schema = "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int)"
	pgtest.Exec(t, source, schema, "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1)")
	pgtest.Exec(t, target, schema)
	exporter := pgtest.Connect(t, source)
	name := export(t, exporter)
	pgtest.Exec(t, source, "UPDATE a SET id = 2; DELETE FROM b; INSERT INTO c VALUES (2)")

	o := options(source, target)
	o.SnapshotName = name
	imported := 0
	o.Imported = func() {
		imported++
		if err := exporter.Close(t.Context()); err != nil {
			t.Error(err)
		}
		pgtest.Exec(t, source, "TRUNCATE c; INSERT INTO a VALUES (3)")
	}
	tables := []snapshot.Table{
		{Namespace: "public", Name: "a", Columns: []string{"id"}},
		{Namespace: "public", Name: "b", Columns: []string{"id"}},
	}
	if err := snapshot.Run(t.Context(), o, tables); err != nil {
		t.Fatal(err)
	}
	if imported != 1 {
		t.Errorf("Imported was called %d times", imported)
	}
	hasRows(t, target, "a", [][]string{{"(1)"}})
	hasRows(t, target, "b", [][]string{{"(1)"}})

	err := snapshot.Run(t.Context(), o, tables)
	if !errors.Is(err, snapshot.ErrSnapshotLost) {
		t.Errorf("with the exporter gone: %v", err)
	}
	if imported != 1 {
		t.Error("Imported was called although nothing was imported")
	}
}

func TestRun_NoTables(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	imported := false
	o := options(source, target)
	o.Imported = func() { imported = true }
	if err := snapshot.Run(t.Context(), o, nil); err != nil || !imported {
		t.Errorf("imported %v, %v", imported, err)
	}
}

func TestRun_ReportsAllMissingOptions(t *testing.T) {
	t.Parallel()
	err := snapshot.Run(t.Context(), snapshot.Options{Jobs: -1}, nil)
	for _, name := range []string{"Source", "Target", "Ledger", "Jobs"} {
		if err == nil || !strings.Contains(err.Error(), "Options."+name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

func export(t *testing.T, c *pgx.Conn) string {
	t.Helper()
	var name string
	ctx := context.WithoutCancel(t.Context())
	_, err := c.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	if err == nil {
		err = c.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}
