package snapshot_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/snapshot"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// databases returns an empty source and an empty target with a ledger table.
func databases(t *testing.T) (source, target string) {
	t.Helper()
	sourceMajor, targetMajor := pgtest.Majors()
	source = pgtest.Server(t, sourceMajor).Database(t)
	target = pgtest.Server(t, targetMajor).Database(t, "CREATE TABLE ledger (name text PRIMARY KEY, rows bigint)")
	return source, target
}

// tableLedger keeps the ledger in the target's table of that name; chunks are rows of
// their own, named after the table with their number.
type tableLedger struct{}

func (tableLedger) Begin(context.Context, *pgx.Conn, *snapshot.Table) error { return nil }

func (tableLedger) BeginChunks(context.Context, *pgx.Conn, *snapshot.Table, int) (bool, error) {
	return false, nil
}

func (tableLedger) BeginChunk(ctx context.Context, c *pgx.Conn, t *snapshot.Table, chunk int) error {
	var copied bool
	err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM public.ledger WHERE name = $1)", chunkName(t, chunk)).Scan(&copied)
	if err == nil && copied {
		return snapshot.ErrCopied
	}
	return err
}

func (tableLedger) ChunkDone(ctx context.Context, c *pgx.Conn, t *snapshot.Table, chunk int, r snapshot.Result) error {
	_, err := c.Exec(ctx, "INSERT INTO public.ledger VALUES ($1, $2)", chunkName(t, chunk), r.Rows)
	return err
}

func (tableLedger) Done(ctx context.Context, c *pgx.Conn, t *snapshot.Table, r snapshot.Result) error {
	_, err := c.Exec(ctx, "INSERT INTO public.ledger VALUES ($1, $2)", t.String(), r.Rows)
	return err
}

func chunkName(t *snapshot.Table, chunk int) string {
	return t.String() + " chunk " + strconv.Itoa(chunk)
}

func options(source, target string) snapshot.Options {
	connect := func(uri string) func(context.Context) (*pgx.Conn, error) {
		return func(ctx context.Context) (*pgx.Conn, error) {
			config, err := pgx.ParseConfig(uri)
			if err != nil {
				return nil, err
			}
			config.RuntimeParams["search_path"] = ""
			config.RuntimeParams["application_name"] = "snapshot test"
			return pgx.ConnectConfig(ctx, config)
		}
	}
	return snapshot.Options{Source: connect(source), Target: connect(target), Ledger: tableLedger{}, Jobs: 2}
}

// inCopy counts the copying sessions of the database.
func inCopy(t *testing.T, uri string) int {
	t.Helper()
	return len(pgtest.Query(t, uri, `SELECT pid FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'snapshot test' AND state = 'active' AND query LIKE 'COPY%'`))
}

// sessions counts the sessions of the database that belong to the copy.
func sessions(t *testing.T, uri string) int {
	t.Helper()
	return len(pgtest.Query(t, uri, `SELECT pid FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'snapshot test'`))
}

// hasRows compares a table's rows as text with what is wanted, in any order.
func hasRows(t *testing.T, uri, table string, want [][]string) {
	t.Helper()
	got := rowsOf(t, uri, table)
	if len(got) != len(want) {
		t.Fatalf("%s has %d rows, want %d", table, len(got), len(want))
	}
	for i := range got {
		if got[i][0] != want[i][0] {
			t.Fatalf("%s: row %d is %.200s, want %.200s", table, i, got[i][0], want[i][0])
		}
	}
}

func rowsOf(t *testing.T, uri, table string) [][]string {
	t.Helper()
	return pgtest.Query(t, uri, "SELECT t::text FROM "+table+" t ORDER BY 1")
}
