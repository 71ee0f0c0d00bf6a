package rowdiff_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const schema = `
	CREATE TABLE plain (id int PRIMARY KEY, t text, n numeric, f float8, ts timestamptz);
	CREATE TABLE "Mixed Case" (no_key text);
	CREATE TABLE empty_row ();
	CREATE TABLE parted (id int) PARTITION BY RANGE (id);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
	CREATE TABLE parent (id int);
	CREATE TABLE child (extra text) INHERITS (parent);
	CREATE UNLOGGED TABLE fast (id int);
	CREATE SEQUENCE seq;
	INSERT INTO plain SELECT i, repeat('x', i * 50), 'NaN', 0.1, 'epoch' FROM generate_series(1, 200) i;
	INSERT INTO "Mixed Case" VALUES (NULL), (''), ('a'), ('a');
	INSERT INTO empty_row DEFAULT VALUES;
	INSERT INTO parted VALUES (1), (2);
	INSERT INTO child VALUES (7, 'c');
	SELECT nextval('seq');`

// TestDiff plants one difference at a time.
func TestDiff(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 15).Database(t, schema)
	for _, c := range []struct {
		name, plant, found string
		options            rowdiff.Options
	}{
		{name: "nothing differs", plant: "SELECT 1", options: rowdiff.Options{Sequences: true, Unlogged: true}},
		{
			name: "column order and extra columns do not matter",
			plant: `ALTER TABLE "Mixed Case" ADD e int, ADD c2 text; UPDATE "Mixed Case" SET c2 = no_key;
				ALTER TABLE "Mixed Case" DROP no_key; ALTER TABLE "Mixed Case" RENAME c2 TO no_key`,
		},
		{
			name: "a value", plant: "UPDATE plain SET t = overlay(t placing 'y' from 9000) WHERE id = 190",
			found: "public.plain: 200 rows on the source, 200 on the target",
		},
		{name: "a missing row", plant: "DELETE FROM parted WHERE id = 2", found: "only on the source: (2)"},
		{name: "an extra row", plant: "INSERT INTO child VALUES (8, '')", found: `only on the target: (8,"")`},
		{
			name: "one of two equal rows", plant: `INSERT INTO "Mixed Case" VALUES ('a')`,
			found: "public.Mixed Case: 4 rows on the source, 5 on the target",
		},
		{
			name: "NULL and the empty string", plant: `UPDATE "Mixed Case" SET no_key = '' WHERE no_key IS NULL`,
			found: "only on the source: ()",
		},
		{name: "rows without columns", plant: "INSERT INTO empty_row DEFAULT VALUES", found: "public.empty_row: 1 rows"},
		{name: "a missing table", plant: "DROP TABLE parted", found: "public.parted_1: the target has no such table"},
		{name: "a missing column", plant: "ALTER TABLE plain DROP f", found: `public.plain: the target has no column "f"`},
		{name: "a skipped table", plant: "DROP TABLE plain", options: rowdiff.Options{Skip: []string{"public.plain"}}},
		{name: "an unlogged table is not asked for", plant: "INSERT INTO fast VALUES (1)"},
		{
			name: "an unlogged table", plant: "INSERT INTO fast VALUES (1)",
			options: rowdiff.Options{Unlogged: true}, found: "public.fast: 0 rows on the source, 1 on the target",
		},
		{
			name: "a sequence", plant: "SELECT nextval('seq')", options: rowdiff.Options{Sequences: true},
			found: "public.seq: last_value 1, is_called true on the source, last_value 2, is_called true on the target",
		},
		{
			name: "a missing sequence", plant: "DROP SEQUENCE seq", options: rowdiff.Options{Sequences: true},
			found: "public.seq: the target has no such sequence",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			target := pgtest.Server(t, 15).Database(t, schema, c.plant)
			result, err := rowdiff.Diff(t.Context(), source, target, c.options)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(result.Differences, "\n")
			if c.found == "" && text != "" || !strings.Contains(text, c.found) {
				t.Fatalf("found %q, want %q", text, c.found)
			}
			if len(result.Differences) > 1 {
				t.Fatalf("one difference became %q", result.Differences)
			}
			for line := range strings.Lines(text) {
				if len(line) > 600 {
					t.Fatalf("a line of %d bytes", len(line))
				}
			}
		})
	}
}

func TestDiff_CountsWhatItCompared(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 15).Database(t, schema)
	result, err := rowdiff.Diff(t.Context(), source, source, rowdiff.Options{Sequences: true})
	if err != nil {
		t.Fatal(err)
	}
	if result.Tables != 6 || result.Rows != 208 || result.Sequences != 1 {
		t.Fatalf("compared %+v", result)
	}
}

// TestDiff_ManyDifferences reads more rows than one fetch and shows a few.
func TestDiff_ManyDifferences(t *testing.T) {
	t.Parallel()
	const make = "CREATE TABLE n (i int); INSERT INTO n SELECT generate_series(1, 3000)"
	source := pgtest.Server(t, 15).Database(t, make)
	target := pgtest.Server(t, 15).Database(t, make, "DELETE FROM n WHERE i > 2000")
	result, err := rowdiff.Diff(t.Context(), source, target, rowdiff.Options{Examples: 3})
	if err != nil {
		t.Fatal(err)
	}
	want := "public.n: 3000 rows on the source, 2000 on the target\n" +
		"  only on the source: (2001)\n  only on the source: (2002)\n  only on the source: (2003)\n  …"
	if len(result.Differences) != 1 || result.Differences[0] != want {
		t.Fatalf("found %q", result.Differences)
	}
}
