package pgtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Exec runs statements on a connection of their own, one after the other; each
// may hold several commands and then is one transaction, as in psql -c.
func Exec(t testing.TB, uri string, statements ...string) {
	t.Helper()
	if len(statements) == 0 {
		return
	}
	conn := Connect(t, uri)
	for _, statement := range statements {
		if _, err := conn.PgConn().Exec(t.Context(), statement).ReadAll(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatalf("close the connection: %v", err)
	}
}

// Query returns a query's rows in PostgreSQL's text output; a NULL reads "NULL".
func Query(t testing.TB, uri, sql string, args ...any) [][]string {
	t.Helper()
	conn := Connect(t, uri)
	rows, err := conn.Query(t.Context(), sql, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var all [][]string
	for rows.Next() {
		row := make([]string, len(rows.RawValues()))
		for i, value := range rows.RawValues() {
			row[i] = "NULL"
			if value != nil {
				row[i] = string(value)
			}
		}
		all = append(all, row)
	}
	if rows.Err() != nil {
		t.Fatalf("%s: %v", sql, rows.Err())
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatalf("close the connection: %v", err)
	}
	return all
}

// Connect opens a connection that is closed at the end of the test.
func Connect(t testing.TB, uri string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		// The test's context has ended here; closing twice does nothing.
		_ = conn.PgConn().Conn().Close() //nolint:errcheck // closed by the test or not
	})
	return conn
}

// patience is how long Eventually waits, unless the test ends earlier.
const patience = 60 * time.Second

// Eventually polls cond until it is true. It fails the test after a minute, or
// shortly before the test binary's own deadline.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, has := d.Deadline(); has && deadline.Add(-5*time.Second).Before(end) {
			end = deadline.Add(-5 * time.Second)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-t.Context().Done():
			t.Fatalf("waiting until %s: the test ended", what)
		case now := <-tick.C:
			if now.After(end) {
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}
}
