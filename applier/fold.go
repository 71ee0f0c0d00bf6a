package applier

import (
	"hash/maphash"
	"math"

	"github.com/walferry/walferry/decoder"
)

// fold reduces the changes of one table to a changeset. It is exact for a key whose
// equality is that of its bytes.
//
// It follows every row through the keys that the row goes through. A column that an
// UPDATE left alone keeps the value that an earlier change of the batch gave it; if
// none did, it stays Unchanged, and is not written. A row whose key changes is one
// update by the key that it has on the target.
type fold struct {
	batch *batch
	plan  *plan
	seed  maphash.Seed

	// slots is a hash table with linear probing: 1 + the index of a place, 0 if free.
	slots  []int32
	places []place
	rows   []foldedRow
}

// place is a key, and the row that has it now.
type place struct {
	hash uint64
	// tuple is one with this key.
	tuple int32
	// row indexes fold.rows, or is one of the constants below.
	row int32
}

const (
	// unseen means that nothing of the batch has touched the key.
	unseen = -1
	// vacated means that the row with this key went to another one.
	vacated = -2
)

// foldedRow is what the changes so far make of one row.
type foldedRow struct {
	// net is the change that has their effect.
	net change
	// existed reports that the row is on the target before the batch.
	existed bool
	gone    bool
	// merged reports that the new tuple is this row's own and may be overwritten.
	merged bool
}

// run folds the changes that part indexes. It reports false when they contradict
// each other, as an insert of a row that is there: the caller then applies them one by one.
func (f *fold) run(b *batch, p *plan, part []int32, out *changeset) bool {
	f.reset(b, p, len(part))
	out.empty()
	for _, index := range part {
		c := b.changes[index]
		ok := false
		switch c.op {
		case decoder.Insert:
			ok = f.insert(c)
		case decoder.Update:
			ok = f.update(c)
		case decoder.Delete:
			ok = f.delete(c)
		case decoder.Truncate:
		}
		if !ok {
			return false
		}
	}
	for i := range f.rows {
		r := &f.rows[i]
		switch {
		case r.gone && r.existed:
			out.deletes = append(out.deletes, r.net)
		case r.gone:
		case r.existed:
			out.updates = append(out.updates, r.net)
		default:
			out.inserts = append(out.inserts, r.net)
		}
	}
	return true
}

func (f *fold) reset(b *batch, p *plan, changes int) {
	f.batch, f.plan = b, p
	if f.seed == (maphash.Seed{}) {
		f.seed = maphash.MakeSeed()
	}
	// An update of a key touches two places; half of the slots stay free.
	size := 16
	for size < 4*changes {
		size *= 2
	}
	if cap(f.slots) < size {
		f.slots = make([]int32, size)
	}
	f.slots = f.slots[:size]
	clear(f.slots)
	f.places, f.rows = f.places[:0], f.rows[:0]
}

// place returns the place of the key that a tuple has. The pointer is valid until
// the next call.
func (f *fold) place(tuple int32) *place {
	hash := uint64(0)
	for _, i := range f.plan.key {
		hash = hash*31 + maphash.Bytes(f.seed, f.batch.data(f.batch.value(tuple, i)))
	}
	mask := uint64(len(f.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		n := f.slots[at]
		if n == 0 {
			f.places = append(f.places, place{hash: hash, tuple: tuple, row: unseen})
			f.slots[at] = int32(len(f.places))
			return &f.places[len(f.places)-1]
		}
		if p := &f.places[n-1]; p.hash == hash && f.sameKey(p.tuple, tuple) {
			return p
		}
	}
}

func (f *fold) sameKey(one, other int32) bool {
	for _, i := range f.plan.key {
		if !f.batch.equal(f.batch.value(one, i), f.batch.value(other, i)) {
			return false
		}
	}
	return true
}

// free reports whether no row has the place now.
func (f *fold) free(p *place) bool {
	return p.row < 0 || f.rows[p.row].gone
}

func (f *fold) insert(c change) bool {
	p := f.place(c.new)
	if !f.free(p) {
		return false
	}
	p.row = f.add(foldedRow{net: c})
	return true
}

func (f *fold) add(r foldedRow) int32 {
	f.rows = append(f.rows, r)
	return int32(len(f.rows) - 1)
}

func (f *fold) delete(c change) bool {
	p := f.place(c.old)
	switch {
	case p.row == unseen:
		p.row = f.add(foldedRow{net: c, existed: true, gone: true})
		return true
	case f.free(p):
		return false
	}
	r := &f.rows[p.row]
	r.gone = true
	if r.existed {
		kind := r.net.oldKind
		if kind == decoder.OldNone {
			kind = decoder.OldKey
		}
		r.net = change{op: decoder.Delete, oldKind: kind, relation: c.relation, old: r.net.old}
	}
	return true
}

func (f *fold) update(c change) bool {
	from := c.old
	if c.oldKind == decoder.OldNone {
		from = c.new
	}
	p := f.place(from)
	if p.row != unseen && f.free(p) {
		return false
	}
	if p.row == unseen {
		// Until a key changes, old is only where the row's key on the target stands.
		first := c
		first.old = from
		p.row = f.add(foldedRow{net: first, existed: true})
		f.merge(&f.rows[p.row], c, noTuple)
	} else {
		r := &f.rows[p.row]
		f.merge(r, c, r.net.new)
	}
	row := p.row
	r := &f.rows[row]
	if c.oldKind == decoder.OldNone || f.sameKey(from, r.net.new) {
		return true
	}
	if r.existed && r.net.oldKind == decoder.OldNone {
		r.net.oldKind = decoder.OldKey
	}
	p.row = vacated
	p = f.place(r.net.new)
	// The place may refer to the tuple now: it must stay as it is.
	r.merged = false
	if !f.free(p) {
		return false
	}
	p.row = row
	return true
}

// noTuple stands for the tuple of a row that the batch has not given values.
const noTuple = math.MinInt32

// merge makes c's new tuple the row's, with what c left unchanged taken from the
// tuple before, and key columns from c's old tuple.
func (f *fold) merge(r *foldedRow, c change, before int32) {
	if !c.unchanged {
		r.net.new, r.net.unchanged, r.net.scattered, r.merged = c.new, false, false, false
		return
	}
	b, columns := f.batch, len(f.plan.columns)
	image := r.net.new
	if !r.merged {
		image = ^int32(len(b.images))
		b.images = append(b.images, b.values[c.new:int(c.new)+columns]...)
	}
	unchanged := false
	for i := range columns {
		v := b.value(c.new, i)
		if v.kind == decoder.Unchanged {
			switch {
			case f.plan.columns[i].key && c.oldKind != decoder.OldNone:
				v = b.value(c.old, i)
			case before != noTuple:
				v = b.value(before, i)
			}
		}
		unchanged = unchanged || v.kind == decoder.Unchanged
		b.images[int(^image)+i] = v
	}
	r.net.new, r.net.unchanged, r.net.scattered, r.merged = image, unchanged, true, true
}
