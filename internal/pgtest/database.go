package pgtest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// databases numbers the databases of this test binary.
var databases atomic.Int64

// Database creates an empty database with a name made from the test's, runs the
// statements in it, and returns its URI (superuser). When the test ends the
// database is dropped with all its slots; when the test failed, a psql line and
// what the server logged about the database are printed first.
func (c *Cluster) Database(tb testing.TB, statements ...string) string {
	tb.Helper()
	name := databaseName(tb.Name())
	Exec(tb, c.URI("postgres"), "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	uri := c.URI(name)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("PostgreSQL %d: psql '%s'%s", c.Major(), uri, c.logOf(name))
		}
		if kept(tb) {
			return
		}
		if err := c.drop(name); err != nil {
			tb.Errorf("drop database %s: %v", name, err)
		}
	})
	Exec(tb, uri, statements...)
	return uri
}

// databaseName keeps what of the test's name is easy to type.
func databaseName(test string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(strings.TrimPrefix(test, "Test")))
	return fmt.Sprintf("t%d_%.40s", databases.Add(1), strings.Trim(name, "_"))
}

// drop drops the database's slots, whoever uses them, then the database.
func (c *Cluster) drop(name string) error {
	if !c.Running() {
		return nil
	}
	// A hundred thousand tables are more files than go in half a minute.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URI("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	for {
		dropped, err := dropSlots(ctx, conn, name)
		if err != nil {
			return err
		}
		if dropped {
			break
		}
	}
	if err := c.rollbackPrepared(ctx, conn, name); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	return err
}

// dropSlots ends the users of the database's slots and drops those that are
// free. It reports whether none is left.
func dropSlots(ctx context.Context, conn *pgx.Conn, database string) (bool, error) {
	const terminate = `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
		WHERE database = $1 AND active_pid IS NOT NULL`
	const drop = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
		WHERE database = $1 AND active_pid IS NULL`
	const left = `SELECT count(*) FROM pg_replication_slots WHERE database = $1`
	if _, err := conn.Exec(ctx, terminate, database); err != nil {
		return false, errors.Wrap(err, "end the slots' users")
	}
	// A slot that somebody took or dropped meanwhile is seen again below.
	_, dropErr := conn.Exec(ctx, drop, database)
	var slots int
	if err := conn.QueryRow(ctx, left, database).Scan(&slots); err != nil {
		return false, errors.CombineErrors(errors.Wrap(err, "count the slots"), dropErr)
	}
	return slots == 0, nil
}

// rollbackPrepared ends prepared transactions, with which no database can be
// dropped. It has to be done in the database itself.
func (c *Cluster) rollbackPrepared(ctx context.Context, conn *pgx.Conn, database string) error {
	rows, err := conn.Query(ctx, "SELECT gid FROM pg_prepared_xacts WHERE database = $1", database)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		return err
	}
	inside, err := pgx.Connect(ctx, c.URI(database))
	if err != nil {
		return err
	}
	defer inside.Close(ctx) //nolint:errcheck // nothing is lost
	for _, name := range names {
		if _, err := inside.Exec(ctx, "ROLLBACK PREPARED '"+strings.ReplaceAll(name, "'", "''")+"'"); err != nil {
			return errors.Wrapf(err, "roll back the prepared transaction %q", name)
		}
	}
	return nil
}

// loggedBytes is how much of a line of the server's log is shown.
const loggedBytes = 500

// logOf returns the last lines that the server logged about a database.
func (c *Cluster) logOf(database string) string {
	var b strings.Builder
	var lines []string
	for line := range strings.Lines(c.LogTail(2000)) {
		if strings.Contains(line, database) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	for _, line := range lines[max(0, len(lines)-20):] {
		b.WriteString("\n  ")
		b.WriteString(strings.ToValidUTF8(line[:min(len(line), loggedBytes)], ""))
	}
	return b.String()
}
