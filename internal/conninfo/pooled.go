package conninfo

import (
	"context"
	"strconv"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pooled reports that something stands between this process and the server: the
// backend's own process number is not the one that was announced at the start of
// the connection. Behind a pooler in transaction mode settings, temporary tables,
// locks and exported snapshots do not hold.
func Pooled(ctx context.Context, conn *pgconn.PgConn) (bool, error) {
	results, err := conn.Exec(ctx, "SELECT pg_catalog.pg_backend_pid()").ReadAll()
	if err != nil {
		return false, errors.Wrap(err, "read the backend's process number")
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return false, errors.New("read the backend's process number: no row")
	}
	return string(results[0].Rows[0][0]) != strconv.FormatUint(uint64(conn.PID()), 10), nil
}
