package target

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/roles"
)

// RecordRoles records, once, what became of the roles. Random passwords are not kept.
func RecordRoles(ctx context.Context, conn *pgx.Conn, migration string, results []roles.Result) error {
	batch := &pgx.Batch{}
	for _, r := range results {
		batch.Queue(`INSERT INTO walferry.role (migration, name, status, message) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			migration, r.Name, string(r.Status), r.Message)
	}
	return errors.Wrap(conn.SendBatch(ctx, batch).Close(), "record the roles on the target")
}

// Roles reads what became of the roles, by name; none before they are recorded.
func Roles(ctx context.Context, conn *pgx.Conn, migration string) ([]roles.Result, error) {
	rows, err := conn.Query(ctx, `SELECT name, status, message FROM walferry.role WHERE migration = $1 ORDER BY name COLLATE "C"`, migration)
	if err != nil {
		return nil, errors.Wrap(err, "read the recorded roles on the target")
	}
	results, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r roles.Result, err error) {
		err = row.Scan(&r.Name, &r.Status, &r.Message)
		return r, err
	})
	return results, errors.Wrap(err, "read the recorded roles on the target")
}
