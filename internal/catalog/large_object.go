package catalog

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// LargeObjects counts the large objects of the database, which neither a
// publication nor a copy of tables carries.
func LargeObjects(ctx context.Context, q Querier) (int64, error) {
	rows, err := q.Query(ctx, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata")
	if err != nil {
		return 0, errors.Wrap(err, "count large objects")
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
	return n, errors.Wrap(err, "count large objects")
}
