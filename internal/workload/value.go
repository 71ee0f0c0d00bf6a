package workload

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// typ is one data type, as types.sql reads it.
type typ struct {
	OID        uint32
	Name       string
	Kind       string // as typtype
	Element    uint32 // of an array
	Base       uint32 // of a domain
	BaseTypmod int32
	Subtype    uint32 // of a range
	Range      uint32 // of a multirange
	Labels     []string
	Attributes []struct {
		Type   uint32
		Typmod int32
	}
}

type types map[uint32]*typ

// kind of value to make.
type wish int

const (
	anyValue   wish = iota // whatever the type allows, the odd ones too
	freshValue             // one that no other row is likely to have
	largeValue             // one that goes to TOAST, if the type can
)

// value makes the input text of a random value. ok is false for types that it
// does not know. Parts of arrays, rows and ranges may be NULL, the value is not.
func (ts types) value(r *rand.Rand, oid uint32, typmod int32, w wish) (text string, ok bool) {
	t := ts[oid]
	switch {
	case t == nil:
		return "", false
	case t.Kind == "d":
		if t.BaseTypmod >= 0 {
			typmod = t.BaseTypmod
		}
		return ts.value(r, t.Base, typmod, w)
	case t.Kind == "e":
		return pick(r, t.Labels), len(t.Labels) > 0
	case t.Kind == "c":
		return ts.row(r, t)
	case t.Kind == "r":
		return ts.rangeOf(r, t)
	case t.Kind == "m":
		return ts.multirange(r, t)
	case t.Element != 0:
		return ts.array(r, t, typmod)
	}
	return scalar(r, t.Name, typmod, w)
}

func (ts types) array(r *rand.Rand, t *typ, typmod int32) (string, bool) {
	elements := make([]string, r.IntN(4))
	for i := range elements {
		elements[i] = "NULL"
		if r.IntN(5) == 0 {
			continue
		}
		text, ok := ts.value(r, t.Element, typmod, anyValue)
		if !ok {
			return "", false
		}
		elements[i] = quoted(text)
	}
	return "{" + strings.Join(elements, ",") + "}", true
}

func (ts types) row(r *rand.Rand, t *typ) (string, bool) {
	fields := make([]string, len(t.Attributes))
	for i, a := range t.Attributes {
		if r.IntN(5) == 0 {
			continue
		}
		text, ok := ts.value(r, a.Type, a.Typmod, anyValue)
		if !ok {
			return "", false
		}
		fields[i] = quoted(text)
	}
	return "(" + strings.Join(fields, ",") + ")", true
}

// rangeOf makes a range that is empty, open, or holds what lies above one value.
func (ts types) rangeOf(r *rand.Rand, t *typ) (string, bool) {
	low, ok := ts.value(r, t.Subtype, -1, anyValue)
	if !ok {
		return "", false
	}
	switch r.IntN(4) {
	case 0:
		return "empty", true
	case 1:
		return "(," + quoted(low) + ")", true
	case 2:
		return "[" + quoted(low) + "," + quoted(low) + "]", true
	default:
		return "[" + quoted(low) + ",)", true
	}
}

// multirange makes a set of up to three ranges, which may overlap.
func (ts types) multirange(r *rand.Rand, t *typ) (string, bool) {
	ranges := make([]string, r.IntN(4))
	for i := range ranges {
		text, ok := ts.value(r, t.Range, -1, anyValue)
		if !ok {
			return "", false
		}
		ranges[i] = text
	}
	return "{" + strings.Join(ranges, ",") + "}", true
}

// quoted puts a part into double quotes, as arrays, rows and ranges read them.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func pick[T any](r *rand.Rand, from []T) (one T) {
	if len(from) == 0 {
		return one
	}
	return from[r.IntN(len(from))]
}

// words are texts that COPY, quoting and encodings trip over.
var words = []string{
	"", "a", "NULL", `\N`, `\.`, "tab\there", "line\nbreak", "carriage\rreturn", `back\slash`, `"double"`,
	"it's", "{}", "(,)", "größe", "値", "🐘", " padded ", "0", "\x01",
}

// randomText makes text of about n bytes that does not compress.
func randomText(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%016x", r.Uint64())
	}
	return b.String()[:n]
}

// textValue makes text of at most limit characters; limit 0 is none.
func textValue(r *rand.Rand, limit int, w wish) string {
	var text string
	switch {
	case w == freshValue:
		text = randomText(r, 12)
	case w == largeValue:
		text = randomText(r, 3000+r.IntN(40000))
	case r.IntN(3) == 0:
		text = pick(r, words)
	default:
		text = randomText(r, r.IntN(60))
	}
	if runes := []rune(text); limit > 0 && len(runes) > limit {
		text = string(runes[:limit])
	}
	return text
}
