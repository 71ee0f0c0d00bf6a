package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asWalferry makes this test binary be walferry.
const asWalferry = "WALFERRY_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asWalferry) != "" {
		os.Exit(run())
	}
	testscript.Main(mainRunner{m}, map[string]func(){"walferry": main})
}

// command prepares walferry with a directory for temporary files of its own.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	temp, err := os.MkdirTemp("", "walferry-demo-test-") //nolint:usetesting // the servers' user may not enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(temp); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asWalferry+"=1", "TMPDIR="+temp)
	return cmd, temp
}
