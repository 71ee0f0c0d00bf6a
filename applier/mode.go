package applier

// mode is how the changes of a table may be written.
type mode byte

const (
	// rowByRow means one by one in source order: something acts on single rows, or
	// equal keys may differ in their bytes.
	rowByRow mode = iota
	// insertsAsSet means that inserts without anything else may be written as a set.
	insertsAsSet
	// setwise means that the net effect may be written as a set.
	setwise
)

// chooseMode decides whether the net effect of many changes is what the changes do
// one by one, and says why not.
func (p *plan) chooseMode() (m mode, reason string) {
	t := p.table
	switch {
	case t.triggers:
		return rowByRow, "triggers fire when changes are applied"
	case t.rules:
		return rowByRow, "rules rewrite its statements"
	case t.policies:
		return rowByRow, "row security policies apply to this role"
	case len(p.written()) == 0:
		return rowByRow, "it has no columns"
	case p.identity == identityNone:
		return insertsAsSet, "it has no replica identity"
	case p.identity == identityRow:
		return insertsAsSet, "its replica identity is FULL, and no key on the target identifies a row"
	case !p.keyIndexed():
		return insertsAsSet, "no unique index on the target covers its replica identity"
	}
	for i := range p.columns {
		c := &p.columns[i]
		switch {
		case c.key && !c.bytewise:
			return insertsAsSet, "equal values of its key may differ in their bytes"
		case !c.key && c.identityAlways:
			return insertsAsSet, "column " + c.name + " is GENERATED ALWAYS AS IDENTITY and not in its key"
		}
	}
	return setwise, ""
}

// keyIndexed reports whether an index of the target finds a row by its key.
func (p *plan) keyIndexed() bool {
	for i := range p.table.indexes {
		x := &p.table.indexes[i]
		usable := x.unique && x.plain
		for _, number := range x.columns {
			usable = usable && p.isKey(number)
		}
		if usable {
			return true
		}
	}
	return false
}

func (p *plan) isKey(number int16) bool {
	for _, i := range p.key {
		if p.columns[i].number == number {
			return true
		}
	}
	return false
}
