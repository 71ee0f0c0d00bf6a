package rows_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/validate/rows"
)

// TestRun_Majors shows that all versions print and hash the same rows alike.
func TestRun_Majors(t *testing.T) {
	t.Parallel()
	const types = `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN pos AS int CHECK (VALUE > 0);
		CREATE TABLE types (id bigint PRIMARY KEY, b bool, i2 int2, f4 float4, f8 float8, n numeric, m money, t text, c char(4), v varchar(9),
			y bytea, d date, ts timestamp, tz timestamptz, ti time, tt timetz, iv interval, u uuid, j json, jb jsonb, x xml, a int[], aa text[][],
			p point, bx box, ci cidr, ma macaddr, bi bit(3), vb varbit, r int4range, tr tstzrange, tv tsvector, tq tsquery, e mood, co pair, po pos, l pg_lsn, o oid, rc regclass);
		INSERT INTO types VALUES (1, true, -3, 0.1, 1e-300, 1.500, 12.34, 'a"b\c,(d)', 'ab', ' v ', '\x00ff', '2024-02-29', 'infinity', '2024-01-01 10:00+02',
			'24:00', '12:00+05:30', '1 year -2 days 03:04:05.6', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b":1, "a":[1,2]}', '{"b":1,"a":null}', '<a b="c">x</a>',
			'{1,NULL,3}', '{{a,"b c"},{NULL,""}}', '(1.5,2)', '((1,2),(3,4))', '10.0.0.0/8', '08:00:2b:01:02:03', B'101', B'11', '[1,5)', '["2024-01-01 00:00+00",)',
			'fat:1A cat', 'fat & !cat', 'ok', '(1,"x y")', 7, '1/AB', 42, 'pg_catalog.pg_class'),
			(2, false, 0, 'NaN', '-infinity', 'NaN', -1, '', '', '', '', '-infinity', '-infinity', 'infinity', '0:0', '0:0+0', '0', NULL, 'null', 'null', '', '{}', '{}', NULL,
			NULL, '::/0', NULL, B'000', B'', 'empty', 'empty', '', '', 'sad', '(,)', 1, '0/0', 0, NULL);
		INSERT INTO types (id, t) SELECT i, 'é中' || i FROM generate_series(3, 500) i`
	table := &rows.Table{Namespace: "public", Name: "types"}
	source := pgtest.Server(t, 15).Database(t, types)
	for _, major := range []int{13, 14, 16, 17, 18} {
		target := pgtest.Server(t, major).Database(t, types)
		if v := compare(t, source, target, table)["public.types"]; !v.Equal() || v.SourceRows != 500 {
			t.Errorf("15 and %d: %s", major, text(v))
		}
		pgtest.Exec(t, target, `UPDATE types SET n = n WHERE id < 400; UPDATE types SET t = t || '!' WHERE id IN (3, 4)`)
		if v := compare(t, target, source, table)["public.types"]; v.Changed != 2 || v.Missing+v.Extra != 0 {
			t.Errorf("%d and 15: %s", major, text(v))
		}
	}
}

// TestRun_Encodings compares databases whose bytes of a text differ.
func TestRun_Encodings(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, 15)
	latin := strings.Replace(server.URI("postgres"), "/postgres?", "/latin?", 1)
	pgtest.Exec(t, server.URI("postgres"), `CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), server.URI("postgres"))
		if err == nil {
			_, err = conn.Exec(context.Background(), `DROP DATABASE latin WITH (FORCE)`)
			_ = conn.Close(context.Background())
		}
		if err != nil {
			t.Error(err)
		}
	})
	const texts = `CREATE TABLE texts (k text PRIMARY KEY, v text); INSERT INTO texts SELECT 'ö' || chr(190 + i % 60) || i, 'é' FROM generate_series(1, 300) i;
		CREATE TABLE bare (v text); INSERT INTO bare VALUES ('ü'), (NULL)`
	tables := []*rows.Table{{Namespace: "public", Name: "texts"}, {Namespace: "public", Name: "bare"}}
	pgtest.Exec(t, latin, `SET client_encoding = 'UTF8'`, texts)
	utf8 := server.Database(t, texts)
	for name, v := range compare(t, latin, utf8, tables...) {
		if !v.Equal() {
			t.Errorf("%s: %s", name, text(v))
		}
	}
	pgtest.Exec(t, utf8, `UPDATE texts SET v = 'è' WHERE k LIKE '%300'; INSERT INTO bare VALUES ('ß')`)
	found := compare(t, latin, utf8, tables...)
	if got := text(found["public.texts"]); !strings.Contains(got, "changed k='ö") || !strings.Contains(got, "300' v") {
		t.Errorf("found %q", got)
	}
	if got := text(found["public.bare"]); !strings.Contains(got, "extra v='ß'") {
		t.Errorf("found %q", got)
	}
}

// TestRun_Rewritten truncates one table and rewrites another after the snapshots were
// taken: both are left for other snapshots, and the rest is judged.
func TestRun_Rewritten(t *testing.T) {
	t.Parallel()
	const tables = `CREATE TABLE a AS SELECT 1 AS v; CREATE TABLE b AS SELECT 2 AS v; CREATE TABLE c AS SELECT 3 AS v; CREATE TABLE d AS SELECT 4 AS v`
	source, target := pgtest.Server(t, 15).Database(t, tables), pgtest.Server(t, 15).Database(t, tables)
	rewrite := func() {
		pgtest.Exec(t, target, `TRUNCATE a`, `ALTER TABLE d RENAME COLUMN v TO w`)
		pgtest.Exec(t, source, `ALTER TABLE b ALTER v TYPE bigint`)
	}
	var judged []string
	rewritten, rest, err := rows.Run(t.Context(), rows.Options{
		Source: connect(t, source), Target: connect(t, target), Jobs: 1,
		Imported: func(context.Context) error {
			rewrite() // the snapshots are taken by the first query
			return nil
		},
		Done: func(_ context.Context, v *rows.Verdict) error {
			judged = append(judged, fmt.Sprintf("%s %t", v.Table, v.Equal()))
			return nil
		},
	}, []*rows.Table{{Namespace: "public", Name: "a"}, {Namespace: "public", Name: "b"}, {Namespace: "public", Name: "c"}, {Namespace: "public", Name: "d"}})
	if err != nil {
		t.Fatal(err)
	}
	names := fmt.Sprint(rewritten)
	if names != "[public.a public.b public.d]" || len(rest) != 0 || fmt.Sprint(judged) != "[public.c true]" {
		t.Errorf("rewritten %s, left %v, judged %v", names, rest, judged)
	}
}

// TestRun_LocksOnePartAtATime truncates a table that was compared, while the snapshots
// are still in use: nothing makes it wait.
func TestRun_LocksOnePartAtATime(t *testing.T) {
	t.Parallel()
	const tables = `CREATE TABLE a AS SELECT 1 AS v; CREATE TABLE b AS SELECT 2 AS v`
	source, target := pgtest.Server(t, 15).Database(t, tables), pgtest.Server(t, 15).Database(t, tables)
	truncate := func(table string) {
		for _, uri := range []string{source, target} {
			pgtest.Exec(t, uri, `SET lock_timeout = '20s'`, `TRUNCATE `+table, `ALTER TABLE `+table+` ADD e int`)
		}
	}
	full := false
	rewritten, rest, err := rows.Run(t.Context(), rows.Options{
		Source: connect(t, source), Target: connect(t, target), Jobs: 1,
		Full: func() bool { return full },
		Done: func(_ context.Context, v *rows.Verdict) error {
			truncate(v.Table.Name)
			full = true
			return nil
		},
	}, []*rows.Table{{Namespace: "public", Name: "a", Bytes: 2}, {Namespace: "public", Name: "b", Bytes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if len(rewritten) != 0 || len(rest) > 1 {
		t.Errorf("rewritten %v, left %v", rewritten, rest)
	}
}
