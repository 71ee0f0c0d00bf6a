package engine_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

const carriedSQL = `
	CREATE TABLE docs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body oid);
	CREATE UNLOGGED TABLE cache (k int PRIMARY KEY, v text);
	CREATE MATERIALIZED VIEW zz AS SELECT count(*) AS n FROM docs;
	CREATE MATERIALIZED VIEW aa AS SELECT n + 1 AS n FROM zz;
	CREATE MATERIALIZED VIEW empty AS SELECT 1 AS x WITH NO DATA;
	CREATE SEQUENCE ticket INCREMENT 10;
	INSERT INTO cache VALUES (1, 'a');
	INSERT INTO docs (body) SELECT lo_from_bytea(50000 + g, convert_to('before ' || g, 'UTF8')) FROM generate_series(1, 20) g`

// TestEndToEnd_WhatTheStreamDoesNotCarry moves large objects, unlogged tables,
// sequences and materialized views that change while the stream runs.
func TestEndToEnd_WhatTheStreamDoesNotCarry(t *testing.T) {
	t.Parallel()
	p := simplePair(t, carriedSQL)
	m := start(t, p.args("migrate")...)
	ticket := func() string { return pgtest.Query(t, p.target, `SELECT last_value FROM ticket`)[0][0] }
	pgtest.Eventually(t, "the stream runs and sequences are ahead", func() bool {
		return m.running() && p.phase(t) == "streaming" && ticket() != "1"
	})
	if got := ticket(); got != "10000001" {
		t.Errorf("while streaming, the sequence stands at %s", got)
	}
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM docs WHERE convert_from(lo_get(body), 'UTF8') LIKE 'before %'`)[0][0]; got != "20" {
		t.Errorf("before the end, %s large objects are there", got)
	}
	pgtest.Exec(t, p.source, `INSERT INTO docs (body) SELECT lo_from_bytea(60000, 'after'); SELECT lo_put(50001, 0, 'AFTER'), lo_unlink(50002);
		DELETE FROM docs WHERE body = 50002; INSERT INTO cache VALUES (2, 'b'); SELECT nextval('ticket'), nextval('ticket')`)
	m.signal(syscall.SIGTERM)
	m.wait(3)
	out := run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	if s := out.Stdout.String(); !strings.Contains(s, "large objects: 20\n") || strings.Contains(s, "skipped") {
		t.Errorf("summary: %s", s)
	}
	p.same(t, `SELECT string_agg(oid || ':' || encode(lo_get(oid), 'escape'), ' ' ORDER BY oid) FROM pg_largeobject_metadata`)
	p.same(t, `SELECT string_agg(k || v, ' ' ORDER BY k) FROM cache`)
	p.same(t, `SELECT last_value || is_called::text FROM ticket`)
	p.same(t, `SELECT string_agg(relname || relispopulated, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'm'`)
	if got := pgtest.Query(t, p.target, `SELECT n FROM aa`)[0][0]; got != "21" {
		t.Errorf("the materialized view says %s", got)
	}
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'm') AND relispopulated AND relnamespace = 'public'::regnamespace AND reltuples < 0`)[0][0]; got != "0" {
		t.Errorf("%s relations were not analyzed", got)
	}
	p.finished(t)
}

// same fails unless a query gives one answer on both sides.
func (p pair) same(t *testing.T, sql string) {
	t.Helper()
	if want, got := pgtest.Query(t, p.source, sql)[0][0], pgtest.Query(t, p.target, sql)[0][0]; want != got {
		t.Errorf("%s\nsource: %s\ntarget: %s", sql, want, got)
	}
}
