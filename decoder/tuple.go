package decoder

// ValueKind says how a column value travels in a tuple.
type ValueKind byte

// The value kinds, as they stand on the wire.
const (
	Null ValueKind = 'n'
	// Unchanged marks a TOAST value that the UPDATE did not touch. The stream does
	// not carry it: keep what the target has, never write NULL.
	Unchanged ValueKind = 'u'
	Text      ValueKind = 't'
	Binary    ValueKind = 'b'
)

// Value is one column of a tuple. Data aliases the message that carried it and
// is nil for Null and Unchanged.
type Value struct {
	Kind ValueKind
	Data []byte
}

// Tuple is a row image, in the order of its relation's columns. It aliases the
// message that carried it.
type Tuple []Value
