//go:build unix

package filelock

import (
	"os"
	"syscall"
)

// Try takes the file's lock and reports whether it did: it does not when
// another process, or another descriptor of this one, holds it.
func Try(file *os.File) bool {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
