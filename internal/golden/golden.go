// Package golden compares what a test made with a file that is kept, and writes the
// file anew with -update.
package golden

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Check fails the test where the file at path is not got, and shows the first line that differs.
func Check(tb testing.TB, path string, got []byte) {
	tb.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if bytes.Equal(want, got) {
		return
	}
	kept, made := bytes.SplitAfter(want, []byte("\n")), bytes.SplitAfter(got, []byte("\n"))
	n := 0
	for n < min(len(kept), len(made))-1 && bytes.Equal(kept[n], made[n]) {
		n++
	}
	tb.Errorf("%s differs from line %d on; if the new text is right, run make golden\nkept: %q\nnew:  %q", path, n+1, kept[n], made[n])
}
