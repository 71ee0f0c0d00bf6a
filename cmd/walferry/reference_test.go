package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

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
	path := filepath.Join("..", "..", "docs", "reference", "cli.md")
	if *update {
		if err := os.WriteFile(path, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, page.Bytes()) {
		t.Error("docs/reference/cli.md is not what the program says: run make golden")
	}
}
