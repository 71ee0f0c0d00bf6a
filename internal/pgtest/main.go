package pgtest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// Main is what a package's TestMain calls: it runs the tests, stops the shared
// servers, and fails when a goroutine is left. It does not return. With
// WALFERRY_TEST_KEEP=1 what a failed test used stays until an interrupt.
func Main(m *testing.M, options ...goleak.Option) {
	goleak.VerifyTestMain(run{m}, options...)
}

// made are the directories of TempDir.
var made struct {
	sync.Mutex

	dirs []string
}

// TempDir makes a directory that outlives the test that asks first, for what the
// binary's tests share. Main removes it.
func TempDir() (string, error) {
	dir, err := os.MkdirTemp("", "walferry-test-")
	made.Lock()
	defer made.Unlock()
	made.dirs = append(made.dirs, dir)
	return dir, err
}

func removeDirs() {
	made.Lock()
	defer made.Unlock()
	for _, dir := range made.dirs {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// run stops the servers after the tests and before the check for goroutines.
type run struct{ m *testing.M }

func (r run) Run() int {
	defer removeDirs()
	defer stopShared()
	status := r.m.Run()
	if status != 0 && os.Getenv(keepVariable) != "" {
		waitForInterrupt()
	}
	return status
}
