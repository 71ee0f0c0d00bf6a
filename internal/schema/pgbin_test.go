package schema_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/schema"
)

// fakePrograms makes a directory with a pg_dump that says what it is told to.
func fakePrograms(t *testing.T, says string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"pg_dump", "pg_restore"} {
		script := "#!/bin/sh\necho '" + says + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil { //nolint:gosec // it has to run
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindPGBin(t *testing.T) {
	old := fakePrograms(t, "pg_dump (PostgreSQL) 12.9")
	newest := fakePrograms(t, "pg_dump (PostgreSQL) 99beta1")
	newer := fakePrograms(t, "pg_dump (PostgreSQL) 98.3 (Debian 98.3-1.pgdg120+1)")
	broken := fakePrograms(t, "no idea")
	t.Setenv("PATH", strings.Join([]string{old, broken, newest, newer, "", "/nonexistent"}, string(os.PathListSeparator)))

	bin, err := schema.FindPGBin(t.Context(), "", 97)
	if err != nil || bin.Major != 98 || bin.Dump != filepath.Join(newer, "pg_dump") || bin.Restore != filepath.Join(newer, "pg_restore") {
		t.Errorf("the smallest that suffices: %+v, %v", bin, err)
	}
	bin, err = schema.FindPGBin(t.Context(), newest, 97)
	if err != nil || bin.Major != 99 {
		t.Errorf("the named one: %+v, %v", bin, err)
	}
	for _, c := range []struct {
		name, dir string
		major     int
		detail    string
	}{
		{"all are too old", "", 100, newest + "/pg_dump is version 99"},
		{"the named one is too old", old, 97, "pg_dump is version 12"},
		{"the named one is broken", broken, 97, "its version is not clear"},
		{"nothing is there", t.TempDir(), 97, "holds no pg_dump"},
	} {
		_, err := schema.FindPGBin(t.Context(), c.dir, c.major)
		if err == nil || !strings.Contains(errors.FlattenDetails(err), c.detail) || !strings.Contains(errors.FlattenHints(err), "--pgbin") {
			t.Errorf("%s: %v, details %q, hints %q", c.name, err, errors.FlattenDetails(err), errors.FlattenHints(err))
		}
	}
}
