package filelock_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/filelock"
)

func TestAcquire_WaitsForTheHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	held, err := filelock.Acquire(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if filelock.Try(other) {
		t.Fatal("two descriptors hold the lock")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := filelock.Acquire(cancelled, path); !errors.Is(err, context.Canceled) {
		t.Fatalf("waited for a held lock: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if !filelock.Try(other) {
		t.Fatal("the lock outlived its descriptor")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
}
