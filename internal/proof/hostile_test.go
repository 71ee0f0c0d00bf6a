package proof_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
)

// hostile are names and values that end a quoted text, a line of COPY, a format or a
// message where somebody forgot to quote.
var hostile = []string{
	`"; DROP TABLE victim; --`, `'); DROP TABLE victim; --`, `$$; DROP TABLE victim; $$`, `$1 $2`, `:name`, `?`,
	`%s%d%n%%`, `\.`, `\N`, `\\`, `\x00`, `\000\0`, `\u0000`, `E'\''`, "line\nline", "\\.\n", "\r\n", "tab\ttab", "\b\f\v",
	"\x01\x02\x1b[31m\x7f", ` leading and trailing `, `NULL`, `null`, `{"a":"b"}`, `{}`, `(,)`, `''`, `""`, `\"`, `/* */`, `--`, `ＮＵＬＬ`, `é😀`, "e\u0301", "\u202e",
}

// hostileSchema has, for each hostile text, a schema, a table, columns, an index, a
// sequence, a constraint and an enum's label of that name, with hostile rows.
func hostileSchema() []string {
	statements := []string{`CREATE TABLE victim (id int PRIMARY KEY); INSERT INTO victim VALUES (1)`}
	var values []string
	for i, text := range hostile {
		values = append(values, fmt.Sprintf("(%d, %s)", i, quote(text)))
	}
	statements = append(statements, `CREATE TABLE hostile (n int, t text PRIMARY KEY); INSERT INTO hostile VALUES `+strings.Join(values, ", "))
	for i, text := range hostile {
		name, label := pgx.Identifier{text}.Sanitize(), quote(text)
		statements = append(statements, "CREATE SCHEMA "+name, fmt.Sprintf(`
			CREATE TYPE %[1]s.%[7]s AS ENUM (%[2]s, 'other');
			CREATE TABLE %[1]s.%[1]s (%[1]s text, "n%[3]d" serial, label %[1]s.%[7]s, bytes bytea, list text[], document json,
				kept text DEFAULT %[2]s, PRIMARY KEY (%[1]s, "n%[3]d"), CONSTRAINT %[4]s CHECK (%[1]s <> %[5]s));
			CREATE INDEX %[6]s ON %[1]s.%[1]s (kept, %[1]s);
			INSERT INTO %[1]s.%[1]s SELECT t, n, %[2]s, convert_to(t, 'UTF8') || '\x00', ARRAY[t, NULL, ''], to_json(t) FROM public.hostile`,
			name, label, i, pgx.Identifier{text + " check"}.Sanitize(), quote(text+"!"), pgx.Identifier{text + " index"}.Sanitize(),
			pgx.Identifier{text + " enum"}.Sanitize()))
	}
	return statements
}

func quote(text string) string {
	if strings.Contains(text, `\`) {
		return ` E'` + strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), `'`, `''`) + `'`
	}
	return `'` + strings.ReplaceAll(text, `'`, `''`) + `'`
}

// changeHostile changes rows one by one and as sets: values, keys, and deletes.
func changeHostile(t *testing.T, uri string, round int) {
	t.Helper()
	for i, text := range hostile {
		name := pgx.Identifier{text}.Sanitize()
		pgtest.Exec(t, uri, fmt.Sprintf(`
			INSERT INTO %[1]s.%[1]s SELECT t, n + %[2]d, 'other', convert_to(t, 'UTF8'), ARRAY[t], to_json(t), t FROM public.hostile;
			UPDATE %[1]s.%[1]s SET kept = kept || %[1]s, label = %[3]s WHERE "n%[4]d" < %[2]d;
			UPDATE %[1]s.%[1]s SET %[1]s = %[1]s || '\' WHERE "n%[4]d" %% 5 = 1;
			DELETE FROM %[1]s.%[1]s WHERE "n%[4]d" %% 7 = 3`, name, round*1000, quote(text), i),
			fmt.Sprintf(`UPDATE %[1]s.%[1]s SET list = list || kept, bytes = '\x5c2e0a00' WHERE "n%[2]d" = 2`, name, i),
			fmt.Sprintf(`UPDATE %[1]s.%[1]s SET %[1]s = '!' || %[1]s WHERE "n%[2]d" = 4`, name, i))
	}
}

// TestSecurity_HostileNamesAndValues moves them by COPY, as sets and one by one, as
// text and as binary, in one lane and in several; in the bounded form in one of the ways.
func TestSecurity_HostileNamesAndValues(t *testing.T) {
	from, to := pgtest.Majors()
	for i, way := range [][]string{
		{"--binary", "on", "--apply-jobs", "1"},
		{"--binary", "off", "--apply-jobs", "1"},
		{"--binary", "on", "--apply-jobs", "3"},
		{"--binary", "off", "--apply-jobs", "3", "--streaming", "on"},
	} {
		if !chosen(i) {
			continue // in its turn
		}
		t.Run(strings.Join(way, " "), func(t *testing.T) {
			s := scene{source: pgtest.Server(t, from).Database(t, hostileSchema()...), target: pgtest.Server(t, to).Database(t)}
			args := func(more ...string) []string { return append(s.args("migrate", more...), way...) }
			mustExit(t, walferry(t, "", args("--max-replication-lag", "0")...), 0)
			changeHostile(t, s.source, 1)
			mustExit(t, walferry(t, "", args("--max-replication-lag", "0")...), 0)
			changeHostile(t, s.source, 2)
			mustExit(t, walferry(t, "", s.args("verify")...), 0)
			mustExit(t, walferry(t, "", s.args("status", "--json")...), 0)
			mustExit(t, walferry(t, "", args("--max-replication-lag", "0", "--stop-replication")...), 0)
			pgtest.Compare(t, s.source, s.target, rowdiff.Options{Sequences: true})
			const objects = `SELECT string_agg(concat_ws(' ', relnamespace::regnamespace, relname, relkind, pg_get_indexdef(oid)), ',' ORDER BY relnamespace::regnamespace::text, relname)
				FROM pg_class WHERE relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'walferry')`
			if a, b := pgtest.Query(t, s.source, objects)[0][0], pgtest.Query(t, s.target, objects)[0][0]; a != b {
				t.Errorf("the target has other objects:\n%s\n%s", a, b)
			}
			const missed = `SELECT name FROM walferry."table" WHERE missed_updates + missed_deletes > 0`
			if got := pgtest.Query(t, s.target, missed); len(got) > 0 {
				t.Errorf("changes found no row in %q", got)
			}
			mustExit(t, walferry(t, "", s.args("cleanup", "--yes")...), 0)
		})
	}
}
