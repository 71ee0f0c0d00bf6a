//go:build unix

package pgserver

import (
	"os"
	"syscall"
)

// tryLock takes the file's lock unless another process has it. The lock ends
// with the descriptor, so at the latest with the process.
func tryLock(file *os.File) bool {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
