package golden_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/golden"
)

// failing notes a failure instead of failing.
type failing struct {
	testing.TB

	said string
}

func (f *failing) Helper() {}

func (f *failing) Errorf(format string, args ...any) { f.said = fmt.Sprintf(format, args...) }

func TestCheck(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(path, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, path, []byte("a\nb\n"))
	for got, line := range map[string]string{"": "line 1 ", "a\nc\n": "line 2 ", "a\nb": "line 2 ", "a\nb\nc\n": "line 3 "} {
		probe := &failing{TB: t}
		golden.Check(probe, path, []byte(got))
		if !strings.Contains(probe.said, line) {
			t.Errorf("%q: %s", got, probe.said)
		}
	}
}
