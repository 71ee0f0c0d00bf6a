package validate

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
)

// queries counts what a connection is asked.
type queries struct{ n atomic.Int64 }

func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	q.n.Add(1)
	return ctx
}

func (q *queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// traced connects as walferry does and counts.
func traced(t *testing.T, uri string, q *queries) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(uri)
	if err != nil {
		t.Fatal(err)
	}
	config.Tracer = q
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.PgConn().Conn().Close() })
	if _, err := c.Exec(t.Context(), "SET search_path = ''; SET jit = off"); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPreflight_AsksNoTableByItself counts the questions about few tables and about
// very many: there are as many, but for one more per some hundred tables.
func TestPreflight_AsksNoTableByItself(t *testing.T) {
	t.Parallel()
	const many = 10_000
	ask := func(tables int) (asked int64) {
		source := pgtest.Server(t, 15).Database(t)
		create := `DO $$BEGIN FOR n IN 1..` + strconv.Itoa(tables) + ` LOOP EXECUTE format('CREATE TABLE t%s (id int, v int)', n);
			IF n % 1000 = 0 THEN COMMIT; END IF; END LOOP; END$$`
		pgtest.Exec(t, source, "SET synchronous_commit = off", create)
		target := beside(t, source, "copy", `TEMPLATE "`+database(t, source)+`"`)
		var q queries
		o := PreflightOptions{Source: traced(t, source, &q), Target: traced(t, target, &q), NoSchema: true, Method: Auto}
		began := time.Now()
		report, err := Preflight(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d tables: %d findings by %d queries in %s", tables, len(report.Findings), q.n.Load(), time.Since(began).Round(time.Millisecond))
		if len(report.Tables) != tables {
			t.Errorf("%d tables of %d are in the report", len(report.Tables), tables)
		}
		return q.n.Load()
	}
	few, lots := ask(10), ask(many)
	if lots > few+many/rowsPerQuery {
		t.Errorf("%d queries about 10 tables, %d about %d", few, lots, many)
	}
}
