package applier

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
)

// batch is a run of changes in commit order, copied out of the stream. It holds
// whole transactions, but for the first, which may have begun in an earlier batch,
// and the last, which may go on in the next one.
//
// It owns all its memory and keeps it when it is emptied, so filling it does not
// allocate once it has grown.
type batch struct {
	// arena holds every value as it stands in a binary COPY: four bytes of
	// length, then the bytes. The values of a tuple follow each other.
	arena  []byte
	values []value
	// images are tuples that a lane has put together.
	images       []value
	changes      []change
	transactions []transaction
	truncations  []truncation
	relations    []*decoder.Relation
	// known holds each relation's index in relations.
	known map[*decoder.Relation]int32
}

// value is one column of a tuple.
type value struct {
	offset uint32 // of its bytes in the arena; of a Null, where they would be
	size   int32  // of its bytes
	kind   decoder.ValueKind
}

// change is one row change or one TRUNCATE.
type change struct {
	op      decoder.Op
	oldKind decoder.OldKind
	// unchanged reports that a value of the new tuple is Unchanged.
	unchanged bool
	// scattered reports that the values of the new tuple are not next to each other
	// in the arena: some were taken from an earlier tuple.
	scattered bool
	// forms says in which forms the values came.
	forms forms
	// relation indexes batch.relations; of a TRUNCATE, batch.truncations.
	relation int32
	// old and new are the tuples, to be read with batch.value. Both have as many
	// values as the relation has columns.
	old, new int32
}

// forms is a set of value forms.
type forms byte

const (
	someText forms = 1 << iota
	someBinary
)

// transaction is a source transaction, or the part of it that is in this batch.
type transaction struct {
	commitLSN  decoder.LSN
	endLSN     decoder.LSN
	commitTime time.Time
	// first indexes its first change; the next transaction's ends it.
	first int
	// complete reports that the commit is in this batch.
	complete bool
}

// truncation is one TRUNCATE statement.
type truncation struct {
	relations       []int32 // index batch.relations
	restartIdentity bool
}

const (
	bytesPerValue       = 12
	bytesPerChange      = 16
	bytesPerTransaction = 72
)

// size is how much memory the batch's content takes, in bytes.
func (b *batch) size() int {
	return len(b.arena) + bytesPerValue*len(b.values) + bytesPerChange*len(b.changes) + bytesPerTransaction*len(b.transactions)
}

// begin starts a transaction, or the next piece of one.
func (b *batch) begin(commitLSN decoder.LSN) {
	b.transactions = append(b.transactions, transaction{commitLSN: commitLSN, first: len(b.changes)})
}

// commit ends the last transaction.
func (b *batch) commit(tx *decoder.Transaction) {
	last := &b.transactions[len(b.transactions)-1]
	last.commitLSN, last.endLSN, last.commitTime, last.complete = tx.CommitLSN, tx.EndLSN, tx.CommitTime, true
}

// open reports whether the last transaction goes on in the next batch.
func (b *batch) open() bool {
	return len(b.transactions) > 0 && !b.transactions[len(b.transactions)-1].complete
}

// dropOpen removes the transaction that is not complete.
func (b *batch) dropOpen() {
	if b.open() {
		last := len(b.transactions) - 1
		b.changes = b.changes[:b.transactions[last].first]
		b.transactions = b.transactions[:last]
	}
}

// last indexes the change after the i-th transaction's last one.
func (b *batch) last(i int) int {
	if i+1 < len(b.transactions) {
		return b.transactions[i+1].first
	}
	return len(b.changes)
}

// transactionOf returns the transaction that a change belongs to.
func (b *batch) transactionOf(index int) *transaction {
	i := len(b.transactions) - 1
	for i > 0 && b.transactions[i].first > index {
		i--
	}
	return &b.transactions[i]
}

// add copies a change.
func (b *batch) add(c *decoder.Change) error {
	if c.Op == decoder.Truncate {
		t := truncation{restartIdentity: c.RestartIdentity}
		for _, r := range c.Truncated {
			t.relations = append(t.relations, b.relation(r))
		}
		b.truncations = append(b.truncations, t)
		b.changes = append(b.changes, change{op: c.Op, relation: int32(len(b.truncations) - 1)})
		return nil
	}
	columns := len(c.Relation.Columns)
	if c.Old != nil && len(c.Old) != columns || c.New != nil && len(c.New) != columns {
		return errors.AssertionFailedf("a tuple of %s.%s has %d or %d columns, its relation %d",
			c.Relation.Namespace, c.Relation.Name, len(c.Old), len(c.New), columns)
	}
	stored := change{op: c.Op, oldKind: c.OldKind, relation: b.relation(c.Relation), old: int32(len(b.values))}
	b.addTuple(c.Old, &stored)
	stored.new, stored.unchanged = int32(len(b.values)), false
	b.addTuple(c.New, &stored)
	b.changes = append(b.changes, stored)
	return nil
}

// relation returns the relation's index. Neighbouring changes mostly share it.
func (b *batch) relation(r *decoder.Relation) int32 {
	if len(b.changes) > 0 {
		if c := &b.changes[len(b.changes)-1]; c.op != decoder.Truncate && b.relations[c.relation] == r {
			return c.relation
		}
	}
	i, ok := b.known[r]
	if !ok {
		if b.known == nil {
			b.known = map[*decoder.Relation]int32{}
		}
		i = int32(len(b.relations))
		b.known[r] = i
		b.relations = append(b.relations, r)
	}
	return i
}

// addTuple copies the values of a tuple and notes their forms.
func (b *batch) addTuple(tuple decoder.Tuple, stored *change) {
	for i := range tuple {
		v := &tuple[i]
		switch v.Kind {
		case decoder.Null:
			b.arena = binary.BigEndian.AppendUint32(b.arena, math.MaxUint32)
			b.values = append(b.values, value{offset: uint32(len(b.arena)), kind: decoder.Null})
		case decoder.Unchanged:
			stored.unchanged = true
			b.values = append(b.values, value{kind: decoder.Unchanged})
		case decoder.Text, decoder.Binary:
			b.arena = binary.BigEndian.AppendUint32(b.arena, uint32(len(v.Data)))
			b.values = append(b.values, value{offset: uint32(len(b.arena)), size: int32(len(v.Data)), kind: v.Kind})
			b.arena = append(b.arena, v.Data...)
			if v.Kind == decoder.Text {
				stored.forms |= someText
			} else {
				stored.forms |= someBinary
			}
		}
	}
}

// value returns the i-th value of a tuple, which is the index of its first one in
// values, or the complement of one in images.
func (b *batch) value(tuple int32, i int) value {
	if tuple < 0 {
		return b.images[int(^tuple)+i]
	}
	return b.values[int(tuple)+i]
}

// data returns a value's bytes, nil when it has none. They stay valid until the
// batch is emptied.
func (b *batch) data(v value) []byte {
	if v.kind == decoder.Null || v.kind == decoder.Unchanged {
		return nil
	}
	return b.arena[v.offset : v.offset+uint32(v.size) : v.offset+uint32(v.size)]
}

// equal reports whether two values are the same bytes in the same form.
func (b *batch) equal(v, w value) bool {
	return v.kind == w.kind && string(b.data(v)) == string(b.data(w))
}

// empty forgets the content, and also the memory when one huge row took much more
// than the bound.
func (b *batch) empty(bound int) {
	if cap(b.arena) > 2*bound {
		b.arena = nil
	}
	if cap(b.values)*bytesPerValue > 2*bound {
		b.values = nil
	}
	clear(b.relations)
	clear(b.truncations)
	clear(b.known)
	b.arena, b.values, b.changes = b.arena[:0], b.values[:0], b.changes[:0]
	b.transactions, b.truncations, b.relations = b.transactions[:0], b.truncations[:0], b.relations[:0]
}
