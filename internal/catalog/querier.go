package catalog

import (
	"context"
	"strconv"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// Querier is what this package needs of a connection, transaction or pool.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// collect runs one query and scans each row by the names of its columns into a
// T. It names no SQL in its error; the caller wraps it.
func collect[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}

// versionNum is server_version_num: 150018 on PostgreSQL 15.18.
func versionNum(ctx context.Context, q Querier) (int, error) {
	rows, err := q.Query(ctx, "SELECT pg_catalog.current_setting('server_version_num')")
	if err != nil {
		return 0, err
	}
	text, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	if err != nil {
		return 0, err
	}
	num, err := strconv.Atoi(text)
	return num, errors.Wrap(err, "server_version_num")
}
