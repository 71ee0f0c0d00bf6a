package proof_test

import (
	"strings"
	"testing"
)

// TestFailpoint_Malformed misspells what WALFERRY_FAILPOINT says, which must not be
// taken for a run without a failpoint.
func TestFailpoint_Malformed(t *testing.T) {
	for _, spec := range []string{"slot: created", "slot: created=kill", "slot: created=kill@0", "slot: created=halt@1", "=kill@1"} {
		p := walferry(t, spec, "version")
		mustExit(t, p, 2)
		if got := p.Stderr.String(); !strings.Contains(got, "WALFERRY_FAILPOINT is") || p.Stdout.String() != "" {
			t.Errorf("%q: %s%s", spec, p.Stdout.String(), got)
		}
	}
}
