package source_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/source"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func sourceMajor() int {
	major, _ := pgtest.Majors()
	return major
}

func connect(t *testing.T, uri string) *source.Conn {
	t.Helper()
	info, err := conninfo.Parse("source", uri)
	if err != nil {
		t.Fatal(err)
	}
	c, err := source.Connect(t.Context(), info, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// plain are plugin options for publication p in text.
var plain = []string{"proto_version '1'", `publication_names '"p"'`}

const published = "CREATE TABLE t (id bigint PRIMARY KEY, data text); CREATE PUBLICATION p FOR TABLE t"

// createSlot creates a slot on a connection of its own.
func createSlot(t *testing.T, uri, name string) source.Slot {
	t.Helper()
	slot, err := connect(t, uri).CreateSlot(t.Context(), name, source.SlotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

// received is what a test's push has seen. Its methods are for one goroutine.
type received struct {
	kinds   []byte
	inserts int
	largest int
	end     source.LSN
}

func (r *received) push(_ source.LSN, payload []byte) error {
	r.kinds = append(r.kinds, payload[0])
	r.largest = max(r.largest, len(payload))
	switch payload[0] {
	case 'I':
		r.inserts++
	case 'C':
		r.end = source.LSN(binary.BigEndian.Uint64(payload[10:]))
	}
	return nil
}
