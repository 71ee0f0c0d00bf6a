package pgbin

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// programs makes a directory with scripts that claim to be of a version.
func programs(t *testing.T, major int, names []string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		text := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %d.4 (Debian)'\n", name, major)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestServer_TakesTheVersionThatWasAskedFor(t *testing.T) {
	old, recent := programs(t, 91, serverPrograms), programs(t, 92, serverPrograms)
	incomplete := programs(t, 93, serverPrograms[:1])
	t.Setenv("PATH", os.Getenv("PATH")+":"+old+":"+recent+":"+incomplete)
	if dir, err := Server(t.Context(), 92); err != nil || dir != recent {
		t.Fatalf("found %s, %v, want %s", dir, err, recent)
	}
	if dir, err := Server(t.Context(), 93); err == nil {
		t.Fatalf("found an incomplete server in %s", dir)
	}
	own := programs(t, 92, serverPrograms)
	t.Setenv("WALFERRY_PG_BIN_92", own)
	if dir, err := Server(t.Context(), 92); err != nil || dir != own {
		t.Fatalf("found %s, %v, want %s", dir, err, own)
	}
}

func TestClient_TakesTheOldestThatSuffices(t *testing.T) {
	newest, middle, old := programs(t, 93, clientPrograms), programs(t, 92, clientPrograms), programs(t, 91, clientPrograms)
	t.Setenv("PATH", os.Getenv("PATH")+":"+newest+":"+middle+":"+old)
	for want, dir := range map[int]string{91: old, 92: middle, 93: newest} {
		if found, err := Client(t.Context(), want); err != nil || found != dir {
			t.Errorf("for %d found %s, %v, want %s", want, found, err, dir)
		}
	}
	if found, err := Client(t.Context(), 94); err == nil {
		t.Fatalf("found version 94 in %s", found)
	}
}
