package pgtest_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, 15)
	t.Run("holds what its statements made", func(t *testing.T) {
		uri := server.Database(t, "CREATE TABLE a (id int)", "INSERT INTO a VALUES (1), (NULL)")
		rows := pgtest.Query(t, uri, "SELECT id FROM a ORDER BY id")
		if len(rows) != 2 || rows[0][0] != "1" || rows[1][0] != "NULL" {
			t.Fatalf("rows: %v", rows)
		}
		pgtest.Query(t, uri, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", "left_over")
		pgtest.Exec(t, uri, "BEGIN; INSERT INTO a VALUES (2); PREPARE TRANSACTION 'it''s prepared'")
		if !strings.Contains(uri, "holds_what") {
			t.Fatalf("the database is not named after the test: %s", uri)
		}
	})
	t.Run("leaves neither slot nor database", func(t *testing.T) {
		left := pgtest.Query(t, server.URI("postgres"),
			`SELECT datname FROM pg_database WHERE datname LIKE '%holds_what%'
			UNION ALL SELECT slot_name FROM pg_replication_slots WHERE slot_name = 'left_over'
			UNION ALL SELECT gid FROM pg_prepared_xacts WHERE gid = 'it''s prepared'`)
		if len(left) != 0 {
			t.Fatalf("left: %v", left)
		}
	})
}

func TestCompare(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 15).Database(t, "CREATE TABLE a (id int)", "INSERT INTO a VALUES (1)")
	pgtest.Compare(t, source, source)
	target := pgtest.Server(t, 15).Database(t, "CREATE TABLE a (id int)")
	probe := &failing{TB: t}
	pgtest.Compare(probe, source, target)
	if !probe.failed {
		t.Fatal("a missing row was not found")
	}
}

// failing notes a failure instead of failing.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Errorf(string, ...any) { f.failed = true }
