package rows_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/validate/rows"
)

// connect opens connections in a snapshot of its own; what the test compares is quiet.
func connect(tb testing.TB, uri string) func(context.Context) (*pgx.Conn, error) {
	tb.Helper()
	info, err := conninfo.Parse("source", uri)
	if err != nil {
		tb.Fatal(err)
	}
	return func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := info.Connect(ctx)
		if err != nil {
			return nil, err
		}
		_, err = conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
		return conn, err
	}
}

// compare compares tables and returns the verdicts by name; each must have one.
func compare(tb testing.TB, source, target string, tables ...*rows.Table) map[string]*rows.Verdict {
	tb.Helper()
	verdicts := map[string]*rows.Verdict{}
	rewritten, rest, err := rows.Run(tb.Context(), rows.Options{
		Source: connect(tb, source), Target: connect(tb, target), Jobs: 2, Samples: 3,
		Done: func(_ context.Context, v *rows.Verdict) error {
			verdicts[v.Table.String()] = v
			return nil
		},
	}, tables)
	if err != nil {
		tb.Fatal(err)
	}
	if len(verdicts) != len(tables) || len(rewritten)+len(rest) > 0 {
		tb.Fatalf("%d verdicts, %d rewritten, %d left of %d tables", len(verdicts), len(rewritten), len(rest), len(tables))
	}
	return verdicts
}

// text is a verdict in one line.
func text(v *rows.Verdict) string {
	lines := make([]string, len(v.Differences))
	for i, d := range v.Differences {
		var key []string
		for name, value := range d.Key {
			shown := "NULL"
			if value != nil {
				shown = "'" + *value + "'"
			}
			key = append(key, name+"="+shown)
		}
		lines[i] = strings.TrimSpace(string(d.Kind) + " " + strings.Join(key, " ") + " " + strings.Join(d.Columns, ","))
	}
	return strings.Join(append([]string{v.Problem}, lines...), "; ")
}

const schema = `
	CREATE TABLE plain (id int PRIMARY KEY, t text, n numeric, b char(5), f float8, j json, g int GENERATED ALWAYS AS (id * 2) STORED);
	CREATE TABLE "No Key" (a text, "B" int);
	CREATE TABLE empty_row ();
	CREATE TABLE parted (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
	CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
	CREATE TABLE texts (k text COLLATE "C", region text, v text, PRIMARY KEY (region, k));
	INSERT INTO plain SELECT i, repeat('x', i), 1.0, 'ab', 0.1 + i, '{"a": 1}' FROM generate_series(1, 2000) i;
	INSERT INTO "No Key" VALUES (NULL, 1), ('', 1), ('a', 2), ('a', 2), ('b', NULL);
	INSERT INTO empty_row DEFAULT VALUES;
	INSERT INTO parted SELECT i, 'v' FROM generate_series(1, 200) i;
	INSERT INTO texts SELECT 'k' || i, 'é' || i % 3, 'v' FROM generate_series(1, 300) i;`

func all() []*rows.Table {
	var tables []*rows.Table
	for _, name := range []string{"plain", "No Key", "empty_row", "parted", "texts"} {
		tables = append(tables, &rows.Table{Namespace: "public", Name: name})
	}
	return tables
}

// TestRun_Planted plants one difference at a time, of every kind, and finds it and nothing else.
func TestRun_Planted(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 15).Database(t, schema)
	for _, c := range []struct {
		name, plant, table, found string
		missing, extra, changed   int64
	}{
		{name: "nothing", plant: "SELECT 1"},
		{
			name: "other order of columns and rows, an extra column, other partitions",
			plant: `ALTER TABLE plain ADD later text, ADD t2 text; UPDATE plain SET t2 = t; ALTER TABLE plain DROP t; ALTER TABLE plain RENAME t2 TO t;
				DROP TABLE parted; CREATE TABLE parted (v text, id int PRIMARY KEY); INSERT INTO parted SELECT 'v', i FROM generate_series(200, 1, -1) i`,
		},
		{name: "missing", plant: "DELETE FROM plain WHERE id = 7", table: "plain", missing: 1, found: "missing id='7'"},
		{name: "extra", plant: "INSERT INTO plain VALUES (-1)", table: "plain", extra: 1, found: "extra id='-1'"},
		{name: "changed", plant: "UPDATE plain SET f = 9, j = '{\"a\":1}' WHERE id = 9", table: "plain", changed: 1, found: "changed id='9' f,j"},
		{name: "NULL and empty", plant: "UPDATE plain SET t = NULL WHERE id = 1; UPDATE texts SET v = '' WHERE k = 'none'", table: "plain", changed: 1, found: "changed id='1' t"},
		{name: "empty for NULL", plant: `UPDATE "No Key" SET a = '' WHERE a IS NULL`, table: "No Key", missing: 1, extra: 1},
		{name: "trailing blank", plant: "UPDATE plain SET t = t || ' ' WHERE id = 3", table: "plain", changed: 1, found: "changed id='3' t"},
		{name: "numeric scale", plant: "UPDATE plain SET n = 1.00 WHERE id = 4", table: "plain", changed: 1, found: "changed id='4' n"},
		{name: "last digit of a float", plant: "UPDATE plain SET f = f + 1e-13 WHERE id = 5", table: "plain", changed: 1, found: "changed id='5' f"},
		{name: "one of equal rows", plant: `INSERT INTO "No Key" VALUES ('a', 2)`, table: "No Key", extra: 1},
		{name: "values that moved between columns", plant: `UPDATE texts SET k = region, region = k WHERE k = 'k1'`, table: "texts", missing: 1, extra: 1},
		{name: "rows without columns", plant: "INSERT INTO empty_row DEFAULT VALUES", table: "empty_row", extra: 1},
		{name: "in a partition", plant: "UPDATE parted SET v = 'w' WHERE id = 150", table: "parted", changed: 1, found: "changed id='150' v"},
		{name: "an empty partition", plant: "TRUNCATE parted_2", table: "parted", missing: 101},
		{name: "a key of two texts", plant: "UPDATE texts SET v = 'w' WHERE k = 'k7'", table: "texts", changed: 1},
		{name: "no table", plant: "DROP TABLE texts", table: "texts", found: "the target has no such table", missing: -1},
		{name: "no column", plant: "ALTER TABLE plain DROP n", table: "plain", found: `the target has no column "n"`, missing: -1},
		{name: "what is generated", plant: "ALTER TABLE plain DROP g; ALTER TABLE plain ADD g int GENERATED ALWAYS AS (id * 3) STORED", table: "plain", changed: 2000},
		{name: "no partition at all", plant: "DROP TABLE parted_1, parted_2", table: "parted", missing: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			target := pgtest.Server(t, 15).Database(t, schema, c.plant)
			for name, v := range compare(t, source, target, all()...) {
				if name != "public."+c.table {
					if !v.Equal() {
						t.Errorf("%s: %s", name, text(v))
					}
					continue
				}
				if !strings.Contains(text(v), c.found) || v.Equal() {
					t.Errorf("found %q, want %q", text(v), c.found)
				}
				if c.missing >= 0 && (v.Missing != c.missing || v.Extra != c.extra || v.Changed != c.changed || v.TargetRows != v.SourceRows-c.missing+c.extra) {
					t.Errorf("counts: %d missing, %d extra, %d changed of %d and %d rows", v.Missing, v.Extra, v.Changed, v.SourceRows, v.TargetRows)
				}
				if want := min(3, c.missing+c.extra+c.changed); int64(len(v.Differences)) != want && c.missing >= 0 {
					t.Errorf("%d samples, want %d", len(v.Differences), want)
				}
				if c.missing < 0 && v.SourceRows == 0 {
					t.Error("the source's rows are not counted")
				}
			}
		})
	}
}
