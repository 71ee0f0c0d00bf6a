//go:build !race

package handoffmodel

import (
	"strings"
	"testing"
)

func TestResumeRules(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		safe bool
		resume
	}{
		{true, resume{name: "watermark per table", crashes: 2}},
		{true, resume{name: "watermark per table, ledger later, copy empties the table", splitLedger: true, truncate: true, crashes: 1}},
		{true, resume{name: "apply during the copy, up to its consistent point", during: true, waitAtPoint: true, crashes: 2}},

		{true, resume{name: "table in chunks, emptied when its snapshot is lost", chunked: chunkRule{on: true}, crashes: 1}},
		{true, resume{name: "the same, a killed run's chunk may commit before the next begins the table", chunked: chunkRule{on: true, late: true}, crashes: 1}},
		{false, resume{name: "table in chunks, a killed run's chunk may commit whenever", chunked: chunkRule{on: true, late: true, unfenced: true}, crashes: 1}},
		{false, resume{name: "table in chunks, not emptied", chunked: chunkRule{on: true, keepRows: true}, crashes: 1}},
		{false, resume{name: "table in chunks, the chunk's ledger entry later", splitLedger: true, chunked: chunkRule{on: true}, crashes: 1}},
		{false, resume{name: "chunks of several snapshots, newest watermark", chunked: chunkRule{on: true, keep: true}, crashes: 1}},
		{false, resume{name: "chunks of several snapshots, oldest watermark", chunked: chunkRule{on: true, keep: true, oldest: true}, crashes: 1}},
		{false, resume{name: "chunks of several snapshots, a watermark each", chunked: chunkRule{on: true, keep: true, routed: true}, crashes: 1}},
		{true, resume{name: "chunks of several snapshots, a watermark each, no key changes", noMoves: true, chunked: chunkRule{on: true, keep: true, routed: true}, crashes: 1}},

		{false, resume{name: "no watermark", ignoreMark: true, crashes: 1}},
		{false, resume{name: "no watermark, lenient apply", ignoreMark: true, lenient: true, crashes: 1}},
		{true, resume{name: "no watermark, lenient apply, no key changes", ignoreMark: true, lenient: true, noMoves: true, crashes: 1}},
		{false, resume{name: "watermark of the first slot", shift: -maxWrites, crashes: 1}},
		{false, resume{name: "watermark one too high", shift: 1}},
		{false, resume{name: "watermark one too low", shift: -1, crashes: 1}},
		{false, resume{name: "newest watermark for every table", oneMark: true, crashes: 1}},
		{false, resume{name: "changes compared by their own LSN", byChangeLSN: true, crashes: 1}},
		{false, resume{name: "ordinary snapshot, LSN read before it", lsnBefore: true, crashes: 1}},
		{false, resume{name: "ordinary snapshot, LSN read after it", lsnAfter: true, crashes: 1}},
		{false, resume{name: "ledger later", splitLedger: true, crashes: 1}},
		{false, resume{name: "checkpoint later", splitCkpt: true, crashes: 1}},
		{false, resume{name: "received positions reported during the copy", ackInCopy: true, crashes: 1}},
		{false, resume{name: "apply during the copy", during: true}},
		{false, resume{name: "apply during the copy, its consistent point announced late", during: true, waitAtPoint: true, lateAnnounce: true, crashes: 1}},
	} {
		t.Run(strings.NewReplacer(" ", "_", ",", "", "'", "").Replace(tc.name), func(t *testing.T) {
			t.Parallel()
			n, path := search(tc.starts(), tc.next, tc.wrong)
			t.Logf("safe=%v states=%d %s", path == nil, n, strings.Join(path, " > "))
			if got := path == nil; got != tc.safe {
				t.Errorf("safe = %v, want %v", got, tc.safe)
			}
		})
	}
}
