package target

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// UseMemory lets the connection build indexes with the server's memory, beside jobs-1
// others: together they take half of what the server has for its buffers, each at most
// 1 GiB and at least what the server would give it anyway. Their workers together are no
// more than the server has.
func UseMemory(ctx context.Context, conn *pgx.Conn, jobs int) error {
	_, err := conn.Exec(ctx, `
		SELECT pg_catalog.set_config('maintenance_work_mem', greatest(
		           pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')),
		           least(pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) / 2 / $1, 1073741824)) / 1024 || 'kB', false),
		       pg_catalog.set_config('max_parallel_maintenance_workers', least(
		           pg_catalog.current_setting('max_parallel_maintenance_workers')::int,
		           pg_catalog.current_setting('max_parallel_workers')::int / $1)::text, false)`, int64(max(jobs, 1)))
	return errors.Wrap(err, "set the memory for indexes on the target")
}
