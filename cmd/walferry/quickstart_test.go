package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
	"github.com/walferry/walferry/internal/workload"
)

// TestQuickstart runs the script of examples/quickstart as a reader would.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	from, to := pgtest.Majors()
	source, target := pgtest.Start(t, from, nil).Database(t), pgtest.Start(t, to, nil).Database(t)
	if err := workload.LoadUgly(t.Context(), source, 1); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "walferry")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "../../examples/quickstart/run.sh")
	cmd.Env = append(os.Environ(), asWalferry+"=1", "PATH="+bin+":"+os.Getenv("PATH"),
		"WALFERRY_SOURCE="+source, "WALFERRY_TARGET="+target)
	cmd.Stdin = strings.NewReader("\n")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "new address.\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	pgtest.Compare(t, source, target, rowdiff.Options{Sequences: true})
}
