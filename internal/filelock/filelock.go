// Package filelock locks files between processes. A lock ends with its
// descriptor, so at the latest with the process that holds it.
package filelock

import (
	"context"
	"os"
	"time"

	"github.com/cockroachdb/errors"
)

// Acquire opens the file at path, which it creates when there is none, and waits
// until no other process holds its lock. Closing the file releases the lock.
func Acquire(ctx context.Context, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, errors.Wrap(err, "open a lock file")
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !Try(file) {
		select {
		case <-ctx.Done():
			err := errors.Wrapf(context.Cause(ctx), "wait for the lock of %s", path)
			return nil, errors.CombineErrors(err, file.Close())
		case <-tick.C:
		}
	}
	return file, nil
}
