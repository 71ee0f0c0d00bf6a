package pgbin

import (
	"context"
	"path/filepath"

	"github.com/cockroachdb/errors"
)

// PgBouncer fetches the PgBouncer of a Debian suite, such as "bookworm", and returns
// the path of its program. Safe for concurrent use, also by several processes.
func PgBouncer(ctx context.Context, suite string) (string, error) {
	dir, err := cached(ctx, "pgbouncer-"+suite, func(ctx context.Context, dir string) error {
		if err := unpackDebian(ctx, suite, "pgbouncer", dir); err != nil {
			return err
		}
		return wrap(dir, "usr/sbin", "pgbouncer")
	})
	return filepath.Join(dir, "bin", "pgbouncer"), errors.Wrapf(err, "fetch PgBouncer of Debian %s", suite)
}
