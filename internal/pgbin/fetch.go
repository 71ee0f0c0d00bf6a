package pgbin

import (
	"context"
	"os"
	"path/filepath"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/filelock"
)

// cached returns the directory name of the cache, which fill fills when it does
// not exist. It appears under its name only when it is complete; processes that
// want the same one wait for each other.
func cached(ctx context.Context, name string, fill func(ctx context.Context, dir string) error) (string, error) {
	cache := CacheDir()
	dir := filepath.Join(cache, name)
	if exists(dir) {
		return dir, nil
	}
	if err := makeReadable(cache); err != nil {
		return "", err
	}
	lock, err := filelock.Acquire(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer lock.Close() //nolint:errcheck // only a lock
	if exists(dir) {
		return dir, nil
	}
	// Under the lock, so what is there was left by a process that died.
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return "", errors.Wrap(err, "remove what an earlier attempt left")
	}
	if err := makeReadable(partial); err != nil {
		return "", err
	}
	if err := fill(ctx, partial); err != nil {
		return "", errors.CombineErrors(err, os.RemoveAll(partial))
	}
	return dir, errors.Wrap(os.Rename(partial, dir), "name the fetched programs")
}

func exists(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

// makeReadable makes a directory that every user may enter, whatever the umask:
// servers do not run as root.
func makeReadable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return errors.Wrap(err, "make the cache directory")
	}
	return errors.Wrap(os.Chmod(dir, 0o755), "make the cache directory readable")
}
