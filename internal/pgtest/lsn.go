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

// WaitFlushed waits until the slot's confirmed_flush_lsn has reached lsn.
func WaitFlushed(tb testing.TB, uri, slot string, lsn pglogrepl.LSN) {
	tb.Helper()
	Eventually(tb, "slot "+slot+" is flushed to "+lsn.String(), func() bool {
		rows := Query(tb, uri, "SELECT coalesce(confirmed_flush_lsn, '0/0') FROM pg_replication_slots WHERE slot_name = $1", slot)
		return len(rows) == 1 && parseLSN(tb, rows[0][0]) >= lsn
	})
}

func parseLSN(tb testing.TB, text string) pglogrepl.LSN {
	tb.Helper()
	lsn, err := pglogrepl.ParseLSN(text)
	if err != nil {
		tb.Fatalf("read an LSN: %v", err)
	}
	return lsn
}
