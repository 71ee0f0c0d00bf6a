//go:build !race

package handoffmodel

import (
	"strings"
	"testing"
)

func TestSharingRules(t *testing.T) {
	live := sharing{dropAbove: true, holdInflight: true}
	with := func(r sharing, name string, f func(*sharing)) sharing { r.name = name; f(&r); return r }
	for _, tc := range []struct {
		safe bool
		sharing
	}{
		{true, sharing{name: "ghostferry: locked copy, whole old row", lockedCopy: true, matchOld: true, crashes: 2}},
		{false, sharing{name: "ghostferry without the row lock", matchOld: true}},
		{true, sharing{name: "locked copy, full images, last write wins", lockedCopy: true, fullImage: true, crashes: 2}},
		{true, sharing{name: "locked copy, unchanged TOAST", lockedCopy: true, crashes: 2}},
		{true, sharing{name: "exported snapshot, apply after the copy", snapshot: true, afterCopy: true}},
		{true, sharing{name: "exported snapshot, apply after, crash, live reads", snapshot: true, afterCopy: true, crashes: 1, liveRestart: true}},
		{false, sharing{name: "exported snapshot, apply during the copy", snapshot: true}},
		{true, sharing{name: "exported snapshot, hold uncopied", snapshot: true, holdAbove: true, holdInflight: true}},
		{false, sharing{name: "exported snapshot, drop above", snapshot: true, dropAbove: true, holdInflight: true}},
		{false, sharing{name: "live reads, no coordination"}},
		{false, sharing{name: "live reads, drop above, apply in-flight", dropAbove: true}},
		{false, sharing{name: "live reads, drop above, drop in-flight", dropAbove: true, dropInflight: true}},
		{true, with(live, "live reads, drop above, hold in-flight", func(r *sharing) { r.crashes = 2 })},
		{true, with(live, "same, checkpoint past held, atomic release", func(r *sharing) { r.crashes = 2; r.ckptPastHeld = true })},
		{true, with(live, "same, later release, checkpoint behind held", func(r *sharing) { r.crashes = 2; r.splitRelease = true })},
		{false, with(live, "same, later release, checkpoint past held", func(r *sharing) { r.crashes = 1; r.splitRelease = true; r.ckptPastHeld = true })},
		{true, sharing{name: "DBLog supersede, full images, no crash", dropAbove: true, supersede: true, fullImage: true}},
		{false, sharing{name: "DBLog supersede, full images, crash", dropAbove: true, supersede: true, fullImage: true, crashes: 1}},
		{true, sharing{name: "DBLog supersede, full images, chunk clears its range", dropAbove: true, supersede: true, fullImage: true, overwrite: true, crashes: 2}},
		{false, sharing{name: "DBLog supersede, unchanged TOAST", dropAbove: true, supersede: true, overwrite: true}},
		{true, with(live, "live reads, drop above, hold in-flight, chunk clears its range", func(r *sharing) { r.crashes = 2; r.overwrite = true })},
	} {
		t.Run(strings.NewReplacer(" ", "_", ",", "").Replace(tc.name), func(t *testing.T) {
			t.Parallel()
			n, path := search(tc.starts(), tc.next, tc.wrong)
			t.Logf("safe=%v states=%d %s", path == nil, n, strings.Join(path, " > "))
			if got := path == nil; got != tc.safe {
				t.Errorf("safe = %v, want %v", got, tc.safe)
			}
		})
	}
}
