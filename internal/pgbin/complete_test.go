package pgbin

import (
	"os"
	"path/filepath"
	"testing"
)

func TestComplete_RefusesDebiansWrapper(t *testing.T) {
	t.Parallel()
	whole, links, wrapped := programs(t, 91, clientPrograms), t.TempDir(), programs(t, 91, []string{debianWrapper})
	for _, program := range clientPrograms {
		if err := os.Symlink(filepath.Join(whole, program), filepath.Join(links, program)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(debianWrapper, filepath.Join(wrapped, program)); err != nil {
			t.Fatal(err)
		}
	}
	if !complete(whole, clientPrograms) || !complete(links, clientPrograms) {
		t.Error("refused programs, or links to them")
	}
	if complete(wrapped, clientPrograms) {
		t.Error("took the wrapper")
	}
}
