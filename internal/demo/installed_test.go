package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestInstalledMajors(t *testing.T) {
	dirs := map[int]string{14: t.TempDir(), 16: t.TempDir(), 12: t.TempDir()}
	for major, dir := range dirs {
		text := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %d.4 (Debian)'\n", major)
		if err := os.WriteFile(filepath.Join(dir, "postgres"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dirs[16]+":"+dirs[12]+":"+t.TempDir())
	t.Setenv("WALFERRY_PG_BIN_14", dirs[14])
	got := installedMajors(t.Context())
	if !slices.Contains(got, 14) || !slices.Contains(got, 16) || slices.Contains(got, 12) || !slices.IsSorted(got) {
		t.Fatalf("found %v, want 14 and 16 but not 12 among them", got)
	}
}
