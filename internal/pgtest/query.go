package pgtest

import (
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Exec runs statements on a connection of their own, one after the other; each
// may hold several commands and then is one transaction, as in psql -c.
func Exec(tb testing.TB, uri string, statements ...string) {
	tb.Helper()
	if len(statements) == 0 {
		return
	}
	conn := Connect(tb, uri)
	for _, statement := range statements {
		if _, err := conn.PgConn().Exec(tb.Context(), statement).ReadAll(); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
	if err := conn.Close(tb.Context()); err != nil {
		tb.Fatalf("close the connection: %v", err)
	}
}

// Query returns a query's rows in PostgreSQL's text output; a NULL reads "NULL".
func Query(tb testing.TB, uri, sql string, args ...any) [][]string {
	tb.Helper()
	conn := Connect(tb, uri)
	rows, err := conn.Query(tb.Context(), sql, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
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
		tb.Fatalf("%s: %v", sql, rows.Err())
	}
	if err := conn.Close(tb.Context()); err != nil {
		tb.Fatalf("close the connection: %v", err)
	}
	return all
}

// Connect opens a connection that is closed at the end of the test.
func Connect(tb testing.TB, uri string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), uri)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(func() {
		// The test's context has ended here; closing twice does nothing.
		_ = conn.PgConn().Conn().Close()
	})
	return conn
}

// patience is how long Eventually waits, unless the test ends earlier.
const patience = 3 * time.Minute

// Eventually polls cond until it is true. It fails the test after three minutes,
// or shortly before the test binary's own deadline.
func Eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	end := time.Now().Add(patience)
	if d, ok := tb.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, has := d.Deadline(); has && deadline.Add(-5*time.Second).Before(end) {
			end = deadline.Add(-5 * time.Second)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tb.Context().Done():
			tb.Fatalf("waiting until %s: the test ended", what)
		case now := <-tick.C:
			if now.After(end) {
				tb.Fatalf("waited in vain until %s", what)
			}
		}
	}
}

// As returns the URI with another user, without a password.
func As(tb testing.TB, uri, user string) string {
	tb.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		tb.Fatalf("parse a URI: %v", err)
	}
	u.User = url.User(user)
	return u.String()
}
