package applier

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/walferry/walferry/decoder"
)

// benchRows is about what a batch holds.
const benchRows = 10_000

// benchBatch is a batch of updates of keys rows, of seven binary columns.
func benchBatch(b *testing.B, keys int) (*batch, *plan, []int32) {
	b.Helper()
	r := &decoder.Relation{ReplicaIdentity: decoder.IdentityDefault}
	p := &plan{relation: r, key: []int{0}}
	tuple := make(decoder.Tuple, 7)
	for i := range tuple {
		r.Columns = append(r.Columns, decoder.Column{Key: i == 0})
		p.columns = append(p.columns, column{targetColumn: &targetColumn{bytewise: true}, key: i == 0})
		tuple[i] = decoder.Value{Kind: decoder.Binary, Data: make([]byte, 8+4*i)}
	}
	rows, part := &batch{}, make([]int32, benchRows)
	rows.begin(1)
	for i := range benchRows {
		part[i] = int32(i)
		binary.BigEndian.PutUint64(tuple[0].Data, uint64(i%keys)) //nolint:gosec // not negative
		if err := rows.add(&decoder.Change{Op: decoder.Update, Relation: r, New: tuple}); err != nil {
			b.Fatal(err)
		}
	}
	return rows, p, part
}

// BenchmarkFold reduces updates to their net effect: of as many rows, and of few.
func BenchmarkFold(b *testing.B) {
	for name, keys := range map[string]int{"once each": benchRows, "ten times each": benchRows / 10} {
		b.Run(name, func(b *testing.B) {
			rows, p, part := benchBatch(b, keys)
			var f fold
			var set changeset
			b.ReportAllocs()
			for b.Loop() {
				if !f.run(rows, p, part, &set) || len(set.updates) != keys {
					b.Fatalf("%d updates", len(set.updates))
				}
			}
			b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkEncode renders rows for a binary COPY: whole ones as they lie in the batch, and
// value by value.
func BenchmarkEncode(b *testing.B) {
	for name, whole := range map[string]bool{"whole rows": true, "values": false} {
		b.Run(name, func(b *testing.B) {
			rows, p, _ := benchBatch(b, benchRows)
			columns := make([]param, len(p.columns))
			for i := range columns {
				columns[i].column = i
			}
			buffer := make([]byte, 0, 2*copyChunk)
			into := make([]byte, copyChunk)
			b.ReportAllocs()
			for b.Loop() {
				r := copyReader{batch: rows, changes: rows.changes, columns: columns, binary: true, whole: whole, buffer: buffer}
				for {
					if _, err := r.Read(into); err == io.EOF { //nolint:errorlint // a reader returns it as it is
						break
					}
				}
			}
			b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
