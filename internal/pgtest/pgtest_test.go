package pgtest_test

import (
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, 15)
	var uri string
	t.Run("holds what its statements made", func(t *testing.T) {
		uri = server.Database(t, "CREATE TABLE a (id int)", "INSERT INTO a VALUES (1), (NULL)")
		rows := pgtest.Query(t, uri, "SELECT id FROM a ORDER BY id")
		if len(rows) != 2 || rows[0][0] != "1" || rows[1][0] != "NULL" {
			t.Fatalf("rows: %v", rows)
		}
		pgtest.Query(t, uri, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", "left_over")
	})
	t.Run("leaves neither slot nor database", func(t *testing.T) {
		left := pgtest.Query(t, server.URI("postgres"),
			`SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'
			UNION ALL SELECT slot_name FROM pg_replication_slots`)
		if len(left) != 0 {
			t.Fatalf("left: %v", left)
		}
	})
}
