package catalog_test

import (
	_ "embed"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
)

//go:embed testdata/shop.sql
var shopSQL string

func TestMain(m *testing.M) { pgtest.Main(m) }

// majors are the oldest and the newest server, and the one that most machines
// of the build have.
var majors = []int{13, 15, 18}

// open returns a connection to a fresh database that holds what script makes.
func open(t *testing.T, major int, script string) *pgx.Conn {
	t.Helper()
	conn := pgtest.Connect(t, pgtest.Server(t, major).Database(t, script))
	if _, err := conn.Exec(t.Context(), "SET search_path = ''"); err != nil {
		t.Fatal(err)
	}
	return conn
}
