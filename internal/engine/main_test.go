package engine_test

import (
	"sync"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// binary is walferry, built once for all tests of this package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := pgtest.TempDir()
	if err != nil {
		return "", err
	}
	return program.Build{Race: raceEnabled}.In(dir)
})
