package snapshot_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/snapshot"
)

// TestRun_OverTLS has the pipe read and write encrypted connections.
func TestRun_OverTLS(t *testing.T) {
	t.Parallel()
	major, _ := pgtest.Majors()
	server := pgtest.Start(t, major, nil)
	server.ServeTLS(t)
	source := strings.Replace(server.Database(t, uglySchema, uglyRows), "sslmode=disable", "sslmode=require", 1)
	target := strings.Replace(server.Database(t, uglySchema, "CREATE TABLE ledger (name text, rows bigint)"), "sslmode=disable", "sslmode=require", 1)
	if got := pgtest.Query(t, source, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got[0][0] != "t" {
		t.Fatal("the connection is not encrypted")
	}
	if err := snapshot.Run(t.Context(), options(source, target), uglyTables(false)); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"identity", "wide", "root"} {
		hasRows(t, target, table, rowsOf(t, source, table))
	}
}
