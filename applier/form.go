package applier

import (
	"bytes"
	"cmp"

	"github.com/walferry/walferry/decoder"
)

// columnForms returns for each column whether its values came as text or as binary.
// It reports false when one column came in both forms.
func (b *batch) columnForms(part []int32, columns int) ([]decoder.ValueKind, bool) {
	var all forms
	for _, index := range part {
		all |= b.changes[index].forms
	}
	kinds := make([]decoder.ValueKind, columns)
	if all != someText|someBinary {
		kind := decoder.Binary
		if all == someText {
			kind = decoder.Text
		}
		for i := range kinds {
			kinds[i] = kind
		}
		return kinds, true
	}
	for _, index := range part {
		c := &b.changes[index]
		if c.oldKind != decoder.OldNone && !b.addForms(kinds, c.old) {
			return nil, false
		}
		if c.op != decoder.Delete && !b.addForms(kinds, c.new) {
			return nil, false
		}
	}
	for i := range kinds {
		if kinds[i] == 0 {
			kinds[i] = decoder.Binary
		}
	}
	return kinds, true
}

func (b *batch) addForms(kinds []decoder.ValueKind, tuple int32) bool {
	for i := range kinds {
		switch kind := b.value(tuple, i).kind; {
		case kind != decoder.Text && kind != decoder.Binary:
		case kinds[i] == 0:
			kinds[i] = kind
		case kinds[i] != kind:
			return false
		}
	}
	return true
}

// sortsByLength reports whether shorter values of the column come first in an
// index: those of numbers as text do.
func (c *column) sortsByLength(form decoder.ValueKind) bool {
	if form != decoder.Text {
		return false
	}
	switch c.typeName {
	case "smallint", "integer", "bigint", "numeric", "oid":
		return true
	default:
		return false
	}
}

// compareKeys orders keys much as the target's index does.
func compareKeys(a, b []byte, byLength bool) int {
	if byLength {
		if order := cmp.Compare(len(a), len(b)); order != 0 {
			return order
		}
	}
	return bytes.Compare(a, b)
}
