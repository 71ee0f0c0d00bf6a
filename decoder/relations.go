package decoder

import "bytes"

// relations is the source's view of its tables at one point: what the rows that
// come next refer to.
type relations struct {
	known map[uint32]definition
	// The relation of the last row, since rows of one table come in runs.
	last    *Relation
	lastOID uint32
}

// definition is a relation and the bytes that defined it.
type definition struct {
	relation *Relation
	raw      []byte // of the relation message, from its OID on
	arrival  uint64 // orders definitions that came by different transactions
}

// define records a relation. One that is equal to the known one keeps its pointer.
func (r *relations) define(d definition) {
	if r.known == nil {
		r.known = make(map[uint32]definition)
	}
	oid := d.relation.OID
	if old, ok := r.known[oid]; ok && bytes.Equal(old.raw, d.raw) {
		d.relation, d.raw = old.relation, old.raw
	}
	r.known[oid] = d
	r.last = nil
}

// lookup returns the relation in effect, or nil.
func (r *relations) lookup(oid uint32) *Relation {
	if r.last == nil || r.lastOID != oid {
		r.last, r.lastOID = r.known[oid].relation, oid
	}
	return r.last
}
