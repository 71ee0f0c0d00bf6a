package proof_test

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/walferry/walferry/internal/program"
)

// fault is a mistake that programs of this kind are known to make.
type fault struct {
	// replace makes the mistake.
	replace []program.Replacement
	// tests is the pattern of the tests that have to notice it, says that of what they then
	// say: neither a program that cannot be built nor another failure is the fault noticed.
	tests, says string
}

var mutants = map[string]fault{
	"acknowledged before it is durable": {
		tests: "TestServers_TargetForgets", says: "the slot has let go of what is before",
		replace: []program.Replacement{{
			File: "applier/progress.go",
			Old:  "return a.progress.least(func(l *laneProgress) decoder.LSN { return l.durable })", New: "return a.Applied()",
		}},
	},
	"the checkpoint in a transaction of its own": {
		tests: "TestCrash_EveryPlace/(stream|kill)/(without|stream)/apply:_before_the_checkpoint", says: "duplicate key value",
		replace: []program.Replacement{{
			File: "applier/lane.go",
			Old: `	failpoint.Hit("apply: before the checkpoint")
`,
			New: `	if err := l.exec(ctx, "COMMIT; BEGIN"); err != nil {
		return err
	}
	failpoint.Hit("apply: before the checkpoint")
`,
		}},
	},
	"a fold that drops a column": {
		tests: "TestEvents", says: "events.shifted: 400 rows",
		replace: []program.Replacement{{File: "applier/fold.go", Old: "case before != noTuple:", New: "case before == c.new:"}},
	},
	"a watermark that is skipped": {
		tests: "TestCrash_EveryPlace/(stream|kill)/(without|stream)/copy:_committed", says: "duplicate key value|source and target differ",
		replace: []program.Replacement{{File: "applier/plan.go", Old: "return p.route.Skip || commitLSN < p.route.Watermark", New: "return p.route.Skip"}},
	},
	"a rollback that is not asked for": {
		tests: "TestCrash_EveryPlace/stream/without", says: "events.wide: 40 rows on the source, 41 on the target",
		replace: []program.Replacement{{File: "decoder/streamed.go", Old: "gone[xid] = true", New: "_ = xid"}},
	},
	"nulls of a K tuple taken as values": {
		tests: "TestEvents", says: "events.shifted: 400 rows",
		replace: []program.Replacement{{
			File: "applier/fold.go",
			Old:  "case f.plan.columns[i].key && c.oldKind != decoder.OldNone:", New: "case c.oldKind != decoder.OldNone:",
		}},
	},
}

// TestMutants_AreNoticed runs the tests against walferry with each of the faults, in the
// bounded form with a share of them.
func TestMutants_AreNoticed(t *testing.T) {
	if *mutant != "" {
		return // this is one of them
	}
	for i, name := range slices.Sorted(maps.Keys(mutants)) {
		if !chosen(i) {
			continue // in its turn
		}
		fault := mutants[name]
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", fault.tests, "-mutant", name, "-seed", strconv.FormatUint(*seed, 10))
			out, err := cmd.CombinedOutput()
			exit := cmd.ProcessState.ExitCode()
			if err == nil || exit != 1 || !regexp.MustCompile(fault.says).Match(out) {
				t.Errorf("the tests %s end with %d (%v) and do not say %q:\n%s", fault.tests, exit, err, fault.says, out)
			}
		})
	}
}
