package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/golden"
)

// TestGolden_Reference keeps docs/reference/cli.md what the program says of itself.
func TestGolden_Reference(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	page.WriteString("# Command line\n\nWritten by `make golden` from the program's own help; do not edit. Every flag has a variable\n" +
		"`WALFERRY_<FLAG>`; a flag beats its variable. Exit status: 0 done, 1 error or bad usage, 2 asked and the\n" +
		"answer is no, 3 stopped by a signal with the progress saved.\n")
	root := newRoot(&app{stdout: io.Discard, stderr: io.Discard})
	for _, c := range root.Commands() {
		if c.Hidden {
			continue
		}
		var help bytes.Buffer
		c.SetOut(&help)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		page.WriteString("\n## walferry " + c.Name() + "\n\n```text\n" + strings.TrimSpace(help.String()) + "\n```\n")
	}
	golden.Check(t, filepath.Join("..", "..", "docs", "reference", "cli.md"), page.Bytes())
}
