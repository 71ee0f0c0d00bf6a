package source

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

//go:embed unseen.sql
var unseenSQL string

// Unseen names an object that was changed by a transaction of the given id or a later
// one, "" when there is none. With the id from before a slot's creation it names what the
// slot may not know of.
//
// PostgreSQL 13 to 18 leave out of a slot's snapshot of the catalogs what commits before the second
// wait of its creation begins, if an older transaction is open then: docs/design/handoff.md.
func Unseen(ctx context.Context, conn *pgx.Conn, since int64) (object string, err error) {
	err = conn.QueryRow(ctx, unseenSQL, since).Scan(&object)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return object, errors.Wrap(err, "look for tables that were altered on the source")
}

// AdvanceSlot moves a slot that nobody uses to a later position, and fails unless decoding
// for it begins later, too.
func AdvanceSlot(ctx context.Context, conn *pgx.Conn, name string, to LSN) error {
	before, err := ReadSlot(ctx, conn, name)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_catalog.pg_replication_slot_advance($1, $2::text::pg_lsn)`, name, to.String()); err != nil {
		return errors.Wrapf(err, "advance replication slot %q on the source to %s", name, errors.Safe(to))
	}
	after, err := ReadSlot(ctx, conn, name)
	if err == nil && after.RestartLSN <= before.RestartLSN {
		err = errors.Newf("replication slot %q on the source still begins at %s", name, errors.Safe(after.RestartLSN))
		err = errors.WithHint(err, "run the same command again")
	}
	return err
}
