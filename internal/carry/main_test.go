package carry_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/target"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// destination is a database that holds a migration called "default".
func destination(t *testing.T, major int, statements ...string) string {
	t.Helper()
	uri := pgtest.Server(t, major).Database(t, statements...)
	conn := connect(t, uri)
	if err := target.Install(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	m := &target.Migration{Name: "default", Command: target.Migrate, Database: "d", SystemID: "1", Phase: target.Preparing, Publications: []string{}}
	if err := target.Create(t.Context(), conn, m); err != nil {
		t.Fatal(err)
	}
	return uri
}

func connect(t *testing.T, uri string) *pgx.Conn {
	t.Helper()
	conn := pgtest.Connect(t, uri)
	if _, err := conn.Exec(t.Context(), `SET search_path = ''`); err != nil {
		t.Fatal(err)
	}
	return conn
}

func connectTo(uri string) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := pgx.Connect(ctx, uri)
		if err != nil {
			return nil, err
		}
		_, err = conn.Exec(ctx, `SET search_path = ''`)
		return conn, err
	}
}
