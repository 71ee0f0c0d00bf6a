package proof_test

import (
	"flag"
	"slices"
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
var built = sync.OnceValues(func() (string, error) { return build(*mutant) })

// builtSmall has small batches too, which are written as sets whenever they can be.
var builtSmall = sync.OnceValues(func() (string, error) { return build(*mutant, smallBatches...) })

var smallBatches = []program.Replacement{
	{File: "applier/options.go", Old: "defaultBatchBytes = 16 << 20", New: "defaultBatchBytes = 6000"},
	{File: "applier/applier.go", Old: "few:      fewChanges", New: "few:      1"},
}

// build builds walferry with its failpoints, the fault of a mutant, and more changes.
func build(mutant string, more ...program.Replacement) (string, error) {
	dir, err := pgtest.TempDir()
	if err != nil {
		return "", err
	}
	b := program.Build{Tags: []string{"failpoint"}, Race: raceEnabled, Replace: more}
	if mutant != "" {
		b.Replace = append(slices.Clone(more), mutants[mutant].replace...)
	}
	return b.In(dir)
}

// walferry starts it; failpoint is what WALFERRY_FAILPOINT says, or empty.
func walferry(tb testing.TB, failpoint string, args ...string) *program.Process {
	tb.Helper()
	return startProgram(tb, built, failpoint, args...)
}

// startProgram starts one of the programs that were built.
func startProgram(tb testing.TB, built func() (string, error), failpoint string, args ...string) *program.Process {
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
