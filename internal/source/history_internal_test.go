package source

import "testing"

func TestLeftTimeline(t *testing.T) {
	t.Parallel()
	const history = "1\t0/3000158\tno recovery target specified\n\n# a remark\n2\t1/5000000\tbefore 2026-01-01 00:00:00+00\n"
	for _, test := range []struct {
		timeline int
		lsn      LSN
		found    bool
	}{{1, 0x3000158, true}, {2, 1<<32 + 0x5000000, true}, {3, 0, false}} {
		lsn, found, err := leftTimeline(history, test.timeline)
		if lsn != test.lsn || found != test.found || err != nil {
			t.Errorf("timeline %d: %s %v %v", test.timeline, lsn, found, err)
		}
	}
	if _, _, err := leftTimeline("1\tnowhere\n", 1); err == nil {
		t.Error("no position, no error")
	}
}
