package decoder_test

import (
	"testing"

	"github.com/walferry/walferry/decoder"
)

// Whole transactions cost no allocation, whatever their rows.
func TestAssembler_DoesNotAllocatePerRow(t *testing.T) {
	for _, path := range []string{"testdata/wal/18/orders.text.txtar", "testdata/wal/18/orders.binary.txtar"} {
		_, stream := readGolden(t, path)
		a := decoder.NewAssembler(decoder.AssemblerOptions{}, changes(func(*decoder.Change) error { return nil }))
		push := func() {
			for _, m := range stream {
				if err := a.Push(m.walStart, m.payload); err != nil {
					t.Fatal(err)
				}
			}
		}
		push()
		rest := stream[:0:0]
		for _, m := range stream {
			if m.payload[0] != 'R' {
				rest = append(rest, m)
			}
		}
		stream = rest
		if n := testing.AllocsPerRun(50, push); n != 0 {
			t.Errorf("%s: %v allocations for %d messages", path, n, len(stream))
		}
	}
}

// Keeping a streamed transaction in memory and handing it over costs a fixed
// number of allocations, whatever its rows.
func TestAssembler_DoesNotAllocatePerStreamedRow(t *testing.T) {
	a := decoder.NewAssembler(decoder.AssemblerOptions{}, changes(func(*decoder.Change) error { return nil }))
	start, relation := encode(&decoder.StreamStartMessage{XID: 7, First: true}, false), encode(&decoder.RelationMessage{XID: 7, Relation: testRelation}, true)
	insert, stop, commit := encode(row(7, "a value"), true), []byte("E"), encode(&decoder.StreamCommitMessage{XID: 7}, false)
	const rows = 10000
	n := testing.AllocsPerRun(20, func() {
		err := a.Push(0, start)
		if err == nil {
			err = a.Push(0, relation)
		}
		for range rows {
			if err == nil {
				err = a.Push(0, insert)
			}
		}
		for _, payload := range [][]byte{stop, commit} {
			if err == nil {
				err = a.Push(0, payload)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if n > 60 {
		t.Errorf("%v allocations for %d rows", n, rows)
	}
}
