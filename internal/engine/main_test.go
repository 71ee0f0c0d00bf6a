package engine_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// binary is walferry, built once for all tests of this package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "walferry-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "walferry")
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "github.com/walferry/walferry/cmd/walferry")...)
	build.Stderr = os.Stderr
	return path, build.Run()
})
