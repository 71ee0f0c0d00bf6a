package proof_test

import (
	"flag"
	"strings"
	"sync"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
)

var (
	// long is how often the long form repeats what the bounded form does once.
	long = flag.Int("long", 0, "repeat everything this many times, with other seeds and at more places")
	// seed makes a run's random choices repeatable, as far as concurrency lets them be.
	seed = flag.Uint64("seed", 1, "seed of the random choices")
	// mutant names the fault to build walferry with.
	mutant = flag.String("mutant", "", "build walferry with this fault of mutants_test.go")
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// built is walferry with its failpoints, and with the fault of -mutant.
var built = sync.OnceValues(func() (string, error) {
	dir, err := pgtest.TempDir()
	if err != nil {
		return "", err
	}
	b := program.Build{Tags: []string{"failpoint"}, Race: raceEnabled}
	if *mutant != "" {
		b.Replace = mutants[*mutant].replace
	}
	return b.In(dir)
})

// walferry starts it; failpoint is what WALFERRY_FAILPOINT says, or empty.
func walferry(tb testing.TB, failpoint string, args ...string) *program.Process {
	tb.Helper()
	path, err := built()
	if err != nil {
		tb.Fatalf("%+v", err)
	}
	from, _ := pgtest.Majors()
	env := []string{"WALFERRY_PGBIN=" + pgtest.Client(tb, from), "WALFERRY_FAILPOINT=" + failpoint}
	if trace, ok := strings.CutPrefix(failpoint, traceTo); ok {
		env = append(env, "WALFERRY_FAILPOINT=", "WALFERRY_FAILPOINT_TRACE="+trace)
	}
	return program.Start(tb, path, env, args...)
}

// traceTo, before a file's name, records the places instead of acting at one.
const traceTo = "trace:"

// to the end with one status.
func mustExit(tb testing.TB, p *program.Process, status int) {
	tb.Helper()
	if got := p.Wait(); got != status {
		tb.Fatalf("walferry %q exited with %d, want %d", p.Cmd.Args[1:], got, status)
	}
}
