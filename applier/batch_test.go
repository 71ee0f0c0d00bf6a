package applier

import (
	"fmt"
	"io"
	"testing"

	"github.com/walferry/walferry/decoder"
)

// wideRelation has an integer key and six more columns.
func wideRelation() *decoder.Relation {
	r := &decoder.Relation{OID: 1, Namespace: "public", Name: "wide", ReplicaIdentity: decoder.IdentityDefault}
	for i := range 7 {
		r.Columns = append(r.Columns, decoder.Column{Name: fmt.Sprint("c", i), TypeOID: 20, Key: i == 0})
	}
	return r
}

func wideTuple() decoder.Tuple {
	t := make(decoder.Tuple, 7)
	for i := range t {
		t[i] = decoder.Value{Kind: decoder.Binary, Data: []byte("12345678")}
	}
	t[5] = decoder.Value{Kind: decoder.Null}
	return t
}

// fill puts n changes of op with different keys into a batch.
func fill(tb testing.TB, b *batch, c *decoder.Change, n int) {
	tb.Helper()
	b.begin(1)
	for i := range n {
		for _, t := range []decoder.Tuple{c.Old, c.New} {
			if t != nil {
				t[0].Data[0], t[0].Data[1], t[0].Data[2] = byte(i), byte(i>>8), byte(i>>16)
			}
		}
		if err := b.add(c); err != nil {
			tb.Fatal(err)
		}
	}
}

func widePlan(r *decoder.Relation) *plan {
	p := &plan{relation: r, identity: identityKey, key: []int{0}}
	for i := range r.Columns {
		p.columns = append(p.columns, column{targetColumn: &targetColumn{bytewise: true}, key: i == 0})
	}
	return p
}

func TestBatch_NothingIsAllocatedPerRow(t *testing.T) {
	const rows = 2000
	relation := wideRelation()
	b, p := &batch{}, widePlan(relation)
	var f fold
	var s changeset
	part := make([]int32, rows)
	for i := range part {
		part[i] = int32(i)
	}
	r := &copyReader{}
	allocations := testing.AllocsPerRun(5, func() {
		b.empty(defaultBatchBytes)
		fill(t, b, &decoder.Change{Op: decoder.Update, Relation: relation, New: wideTuple()}, rows)
		if !f.run(b, p, part, &s) || len(s.updates) != rows {
			t.Fatal("not folded")
		}
		*r = copyReader{batch: b, changes: s.updates, columns: []param{{column: 0}, {column: 3}}, binary: true, buffer: r.buffer[:0]}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 50 {
		t.Errorf("%v allocations for %d rows", allocations, rows)
	}
}

func TestBatch_HugeRowsGiveTheirMemoryBack(t *testing.T) {
	t.Parallel()
	b, tuple := &batch{}, wideTuple()
	tuple[1].Data = make([]byte, 1<<20)
	fill(t, b, &decoder.Change{Op: decoder.Insert, Relation: wideRelation(), New: tuple}, 1)
	if b.size() < 1<<20 {
		t.Errorf("the batch takes its row for %d bytes", b.size())
	}
	b.empty(1000)
	if cap(b.arena) > 0 || b.size() != 0 {
		t.Errorf("%d bytes are kept, %d counted", cap(b.arena), b.size())
	}
}

func TestBatch_TuplesOfAnotherWidth(t *testing.T) {
	t.Parallel()
	b := &batch{}
	b.begin(1)
	if err := b.add(&decoder.Change{Op: decoder.Insert, Relation: wideRelation(), New: wideTuple()[:3]}); err == nil {
		t.Error("taken")
	}
}

func TestCopyReader_Text(t *testing.T) {
	t.Parallel()
	b := &batch{}
	b.begin(1)
	relation := wideRelation()
	relation.Columns = relation.Columns[:3]
	row := decoder.Tuple{{Kind: decoder.Text, Data: []byte("a\tb\nc\rd\\e")}, {Kind: decoder.Null}, {Kind: decoder.Text, Data: []byte{}}}
	if err := b.add(&decoder.Change{Op: decoder.Insert, Relation: relation, New: row}); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(&copyReader{batch: b, changes: b.changes, columns: []param{{column: 0}, {column: 1}, {column: 2}}})
	if want := `a\tb\nc\rd\\e` + "\t" + `\N` + "\t\n"; err != nil || string(got) != want {
		t.Errorf("%q instead of %q, %v", got, want, err)
	}
}

func BenchmarkBatch(b *testing.B) {
	const rows = 20_000
	relation := wideRelation()
	batch, p := &batch{}, widePlan(relation)
	change := &decoder.Change{Op: decoder.Update, Relation: relation, New: wideTuple()}
	part := make([]int32, rows)
	for i := range part {
		part[i] = int32(i)
	}
	fill(b, batch, change, rows)
	perRow := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	}
	b.Run("add", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			batch.empty(defaultBatchBytes)
			fill(b, batch, change, rows)
		}
		perRow(b)
	})
	b.Run("fold", func(b *testing.B) {
		var f fold
		var s changeset
		b.ReportAllocs()
		for b.Loop() {
			if !f.run(batch, p, part, &s) {
				b.Fatal("not folded")
			}
		}
		perRow(b)
	})
	for _, c := range []struct {
		name   string
		reader copyReader
	}{
		{"encode whole rows", copyReader{binary: true, whole: true}},
		{"encode binary columns", copyReader{binary: true}},
		{"encode text", copyReader{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := &copyReader{}
			b.ReportAllocs()
			for b.Loop() {
				buffer := r.buffer[:0]
				*r = c.reader
				r.batch, r.changes, r.buffer = batch, batch.changes, buffer
				r.columns = []param{{column: 0}, {column: 1}, {column: 2}, {column: 3}, {column: 4}, {column: 5}, {column: 6}}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
		})
	}
}
