package snapshot

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// leastFrozenBytes is from which size on freezing is worth a new file for the table, which costs
// more than to copy a few pages: there may be a hundred thousand such tables.
const leastFrozenBytes = 128 << 10

// empty empties the target table where that is asked for, and says whether its rows
// can be written frozen, so that nobody has to write the pages again later: into a
// table that was truncated by the same transaction. Where freeze asks for it, a table
// that is empty already is truncated, if the role may and nobody reads it.
func (w *worker) empty(ctx context.Context, t *Table, leftover, freeze bool) (frozen bool, err error) {
	if !leftover && !t.Truncate && !freeze {
		return false, nil
	}
	const look = `SELECT c.relkind = 'r',
		c.relkind = 'r' AND has_table_privilege(c.oid, 'TRUNCATE')
			AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = c.oid AND f.conrelid <> c.oid)
		FROM pg_class c WHERE c.oid = $1::text::regclass`
	var plain, truncatable bool
	if err := w.target.QueryRow(ctx, look, t.quoted()).Scan(&plain, &truncatable); err != nil {
		return false, onTarget(err, "look up the target table")
	}
	only := ""
	if plain {
		only = "ONLY "
	}
	statement := "TRUNCATE " + only + t.quoted()
	switch {
	case leftover && plain && !truncatable && !t.Truncate:
		statement = "DELETE FROM " + only + t.quoted()
	case t.Truncate, leftover:
		frozen = plain
	case !freeze || !truncatable:
		return false, nil
	default:
		if frozen, err = w.lockEmpty(ctx, t); err != nil || !frozen {
			return false, err
		}
	}
	_, err = w.target.Exec(ctx, statement)
	return frozen, onTarget(err, "empty the target table")
}

// lockEmpty locks the target table if it is empty and nobody uses it.
func (w *worker) lockEmpty(ctx context.Context, t *Table) (bool, error) {
	_, err := w.target.PgConn().Exec(ctx, "SAVEPOINT lock; LOCK TABLE ONLY "+t.quoted()+" IN ACCESS EXCLUSIVE MODE NOWAIT; RELEASE lock").ReadAll()
	if stateOf(err) == lockNotAvailable {
		_, err := w.target.Exec(ctx, "ROLLBACK TO SAVEPOINT lock")
		return false, onTarget(err, "go on without a lock on the target table")
	}
	if err != nil {
		return false, onTarget(err, "lock the target table")
	}
	var holds bool
	err = w.target.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ONLY "+t.quoted()+")", pgx.QueryExecModeExec).Scan(&holds)
	return !holds, onTarget(err, "look for rows in the target table")
}
