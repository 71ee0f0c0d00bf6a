package pgtest

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main is what a package's TestMain calls: it runs the tests, stops the shared
// servers, and fails when a goroutine is left. It does not return. With
// WALFERRY_TEST_KEEP=1 what a failed test used stays until an interrupt.
func Main(m *testing.M, options ...goleak.Option) {
	goleak.VerifyTestMain(run{m}, options...)
}

// run stops the servers after the tests and before the check for goroutines.
type run struct{ m *testing.M }

func (r run) Run() int {
	defer stopShared()
	status := r.m.Run()
	if status != 0 && os.Getenv(keepVariable) != "" {
		waitForInterrupt()
	}
	return status
}
