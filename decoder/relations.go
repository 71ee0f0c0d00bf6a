package decoder

// relations is one view of the source's tables: what the rows that come next
// refer to.
type relations struct {
	known map[uint32]definition
	// The relation of the last row, since rows of one table come in runs.
	last    *Relation
	lastOID uint32
}

// definition is a relation and what tells whether it is still the one to use.
type definition struct {
	relation *Relation
	raw      []byte // its message from the OID on; equal bytes are equal relations
	arrival  uint64 // orders definitions that different transactions brought
}

func (r *relations) set(d definition) {
	if r.known == nil {
		r.known = make(map[uint32]definition)
	}
	r.known[d.relation.OID] = d
	r.last = nil
}

// merge takes over what another view has learned later.
func (r *relations) merge(other *relations) {
	for oid, d := range other.known {
		if d.arrival > r.known[oid].arrival {
			r.set(d)
		}
	}
}

// lookup returns the relation in effect, or nil.
func (r *relations) lookup(oid uint32) *Relation {
	if r.last == nil || r.lastOID != oid {
		r.last, r.lastOID = r.known[oid].relation, oid
	}
	return r.last
}
