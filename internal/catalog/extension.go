package catalog

import (
	"context"

	"github.com/cockroachdb/errors"
)

// Extension is an extension of a database.
type Extension struct {
	Name, Schema, Version string
}

// Extensions returns the extensions that the database has, by name, but for
// plpgsql, which every database is born with.
func Extensions(ctx context.Context, q Querier) ([]Extension, error) {
	found, err := collect[Extension](ctx, q, `
		SELECT e.extname::text AS name, n.nspname::text AS schema, e.extversion AS version
		FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
		WHERE e.extname <> 'plpgsql' ORDER BY e.extname COLLATE "C"`)
	return found, errors.Wrap(err, "read extensions")
}
