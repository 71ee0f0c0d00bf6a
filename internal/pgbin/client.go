package pgbin

import (
	"context"
	"path/filepath"

	"github.com/cockroachdb/errors"
)

var clientPrograms = []string{"pg_dump", "pg_restore", "psql", "pg_recvlogical"}

// Client returns a directory with pg_dump, pg_restore, psql and pg_recvlogical of at least the
// given major version: of those on the machine the oldest that suffices, because
// what it writes is understood by the most servers. Safe for concurrent use,
// also by several processes.
func Client(ctx context.Context, minMajor int) (string, error) {
	best, bestMajor := "", 0
	for _, dir := range candidates(minMajor) {
		if !complete(dir, clientPrograms) {
			continue
		}
		major, err := majorOf(ctx, filepath.Join(dir, "pg_dump"))
		if err == nil && major >= minMajor && (best == "" || major < bestMajor) {
			best, bestMajor = dir, major
		}
	}
	if best != "" {
		return best, nil
	}
	dir, err := fetchClient(ctx, minMajor)
	return dir, errors.Wrapf(err, "find pg_dump of PostgreSQL %d or newer", errors.Safe(minMajor))
}
