package validate

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// connect opens a connection as walferry does.
func connect(t *testing.T, uri string) *pgx.Conn {
	t.Helper()
	c := pgtest.Connect(t, uri)
	if _, err := c.Exec(t.Context(), "SET search_path = ''"); err != nil {
		t.Fatal(err)
	}
	return c
}

// reach connects as walferry does, or says why that is not possible.
func reach(t *testing.T, side, uri string) (*pgx.Conn, error) {
	t.Helper()
	info, err := conninfo.Parse(side, uri)
	if err != nil {
		t.Fatal(err)
	}
	c, err := info.Connect(t.Context())
	if err == nil {
		t.Cleanup(func() { _ = c.PgConn().Conn().Close() })
	}
	return c, err
}

// role creates a role for the database of uri and returns its name. It stays
// until the server goes: what it owns goes later than the test.
func role(t *testing.T, uri, attributes string) string {
	t.Helper()
	name := pgtest.Query(t, uri, "SELECT current_database() || '_role'")[0][0]
	pgtest.Exec(t, uri, "CREATE ROLE "+name+" LOGIN "+attributes)
	return name
}
