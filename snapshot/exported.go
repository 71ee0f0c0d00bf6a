package snapshot

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

const beginReadOnly = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// export exports a snapshot. It lives as long as the connection's transaction.
func export(ctx context.Context, connect func(context.Context) (*pgx.Conn, error)) (*pgx.Conn, string, error) {
	c, err := connect(ctx)
	if err != nil {
		return nil, "", errors.Wrap(err, "connect to the source")
	}
	var name string
	if _, err = c.Exec(ctx, beginReadOnly); err == nil {
		err = c.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&name)
	}
	if err != nil {
		closeConn(ctx, c)
		return nil, "", errors.Wrap(err, "export a snapshot")
	}
	return c, name, nil
}

// rollbackToPart takes back what is not a part of the snapshot's transaction, such as
// locks on tables that have been copied.
const rollbackToPart = "ROLLBACK TO SAVEPOINT part"

// importSnapshot begins a transaction that sees the exported snapshot, with a savepoint.
func importSnapshot(ctx context.Context, c *pgx.Conn, name string) error {
	quoted := "'" + strings.ReplaceAll(name, "'", "''") + "'"
	_, err := c.PgConn().Exec(ctx, beginReadOnly+"; SET TRANSACTION SNAPSHOT "+quoted+"; SAVEPOINT part").ReadAll()
	if err != nil {
		return importError(name, err)
	}
	return nil
}
