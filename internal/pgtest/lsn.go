package pgtest

import (
	"testing"

	"github.com/jackc/pglogrepl"
)

// CurrentLSN returns where the server's WAL ends: everything that was committed
// before the call is below it.
func CurrentLSN(tb testing.TB, uri string) pglogrepl.LSN {
	tb.Helper()
	return parseLSN(tb, Query(tb, uri, "SELECT pg_current_wal_insert_lsn()")[0][0])
}

func parseLSN(tb testing.TB, text string) pglogrepl.LSN {
	tb.Helper()
	lsn, err := pglogrepl.ParseLSN(text)
	if err != nil {
		tb.Fatalf("read an LSN: %v", err)
	}
	return lsn
}
