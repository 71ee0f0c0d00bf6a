package pgbin

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/errors"
)

// TestCached_FillsOnce lets several ask at once for what is not there yet.
func TestCached_FillsOnce(t *testing.T) {
	t.Setenv("WALFERRY_CACHE", filepath.Join(t.TempDir(), "cache"))
	var fills atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dir, err := cached(t.Context(), "thing", func(_ context.Context, dir string) error {
				fills.Add(1)
				return os.WriteFile(filepath.Join(dir, "file"), []byte("whole"), 0o600)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if text, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(text) != "whole" {
				t.Errorf("read %q, %v", text, err)
			}
		})
	}
	wg.Wait()
	if fills.Load() != 1 {
		t.Fatalf("fetched %d times", fills.Load())
	}
}

// TestCached_LeavesNothingHalfDone also starts after a process that died.
func TestCached_LeavesNothingHalfDone(t *testing.T) {
	t.Setenv("WALFERRY_CACHE", t.TempDir())
	partial := filepath.Join(CacheDir(), "thing.partial")
	if err := os.MkdirAll(filepath.Join(partial, "left"), 0o755); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no network")
	_, err := cached(t.Context(), "thing", func(_ context.Context, dir string) error {
		if exists(filepath.Join(dir, "left")) {
			t.Error("what a dead process left is still there")
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("the error became %v", err)
	}
	if exists(partial) || exists(filepath.Join(CacheDir(), "thing")) {
		t.Fatal("something is left")
	}
}

func TestCacheDir(t *testing.T) {
	repository := filepath.Join(t.TempDir(), "repo")
	inner := filepath.Join(repository, "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repository, "go.mod"), []byte(modulePath), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WALFERRY_CACHE", "")
	t.Chdir(inner)
	got, err := filepath.EvalSymlinks(filepath.Dir(defaultCache()))
	if err != nil {
		t.Fatal(err)
	}
	if want, err := filepath.EvalSymlinks(repository); err != nil || got != want {
		t.Errorf("in the repository: %s, want %s, %v", got, want, err)
	}
	if err := os.Chmod(repository, 0o700); err != nil {
		t.Fatal(err)
	}
	if reachable(filepath.Join(repository, ".cache")) {
		t.Error("a private directory counts as reachable")
	}
	if os.Geteuid() == 0 && CacheDir() != systemCache {
		t.Errorf("root's servers cannot read %s", CacheDir())
	}
	t.Setenv("WALFERRY_CACHE", "/elsewhere")
	if CacheDir() != "/elsewhere" {
		t.Errorf("with the environment: %s", CacheDir())
	}
}
