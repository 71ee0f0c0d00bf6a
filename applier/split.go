package applier

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"slices"
	"strconv"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
)

// UnsplitError ends Run at a change that cannot be applied while the rows of its table
// are spread over the lanes: no lane has committed anything of the transaction that
// holds the change, or of a later one. The table is to be in one lane from there on:
// first let all lanes come to the position of the one that is furthest, with the table
// still split, then start them without [Route].Split.
type UnsplitError struct {
	// Namespace and Name are the table's on the source.
	Namespace, Name string
	// Reason is a clause that says why.
	Reason string
}

// Error implements error.
func (e *UnsplitError) Error() string {
	return "table " + e.Namespace + "." + e.Name + " has to be applied in one lane: " + e.Reason
}

// split spreads the rows of a table over the lanes. Which lane a row is in depends on
// nothing but the text of its key: not on the form in which the stream sends it, and
// not on the process.
type split struct {
	// columns are those of the key, in the order of Route.Split.
	columns []splitColumn
	// problem is why the relation cannot be split by these columns.
	problem string
	scratch []byte
}

type splitColumn struct {
	index int
	text  func(to, binary []byte) []byte // nil: binary is the text
}

// splittable are the types whose equality is that of their text, which is easily had
// from their binary form.
var splittable = map[uint32]func(to, binary []byte) []byte{
	20: appendInteger, 21: appendInteger, 23: appendInteger, // bigint, smallint, integer
	25: nil, 1043: nil, // text, varchar
	2950: appendUUID,
}

func appendInteger(to, data []byte) []byte {
	var n int64
	switch len(data) {
	case 2:
		n = int64(int16(binary.BigEndian.Uint16(data))) //nolint:gosec // the sign is in it
	case 4:
		n = int64(int32(binary.BigEndian.Uint32(data))) //nolint:gosec // the sign is in it
	case 8:
		n = int64(binary.BigEndian.Uint64(data)) //nolint:gosec // the sign is in it
	}
	return strconv.AppendInt(to, n, 10)
}

func appendUUID(to, data []byte) []byte {
	for i, b := range data {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			to = append(to, '-')
		}
		to = hex.AppendEncode(to, []byte{b})
	}
	return to
}

// newSplit says how to split a relation by columns, which must be its replica identity.
func newSplit(r *decoder.Relation, names []string) *split {
	s := &split{}
	if r.ReplicaIdentity == decoder.IdentityFull {
		s.problem = "its replica identity is FULL"
		return s
	}
	keys := 0
	for _, c := range r.Columns {
		if c.Key {
			keys++
		}
	}
	for _, name := range names {
		i := slices.IndexFunc(r.Columns, func(c decoder.Column) bool { return c.Key && c.Name == name })
		if i < 0 {
			break
		}
		text, ok := splittable[r.Columns[i].TypeOID]
		if !ok {
			s.problem = "the type of column " + name + " is not one to be split by"
			return s
		}
		s.columns = append(s.columns, splitColumn{index: i, text: text})
	}
	if len(s.columns) != len(names) || keys != len(names) {
		s.problem = "its replica identity is not the primary key of the target"
	}
	return s
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// lane returns which of n lanes has the row of a tuple. What the tuple leaves unchanged
// is taken from old.
func (s *split) lane(b *batch, tuple, old int32, n int) int {
	hash := uint32(0)
	for _, c := range s.columns {
		v := b.value(tuple, c.index)
		if v.kind == decoder.Unchanged {
			v = b.value(old, c.index)
		}
		data := b.data(v)
		if v.kind == decoder.Binary && c.text != nil {
			s.scratch = c.text(s.scratch[:0], data)
			data = s.scratch
		}
		hash = crc32.Update(hash, castagnoli, data)
		hash = crc32.Update(hash, castagnoli, separator)
	}
	return int(hash % uint32(n)) //nolint:gosec // there are few lanes
}

// separator is in no text.
var separator = []byte{0}

// owns reports whether the change of a split table is this lane's. It fails, in every
// lane, when the change is of no single lane.
func (l *lane) owns(b *batch, p *plan, c *change) (bool, error) {
	if p.split.problem != "" {
		return false, p.unsplit(p.split.problem)
	}
	from := c.new
	if c.oldKind != decoder.OldNone {
		from = c.old
	}
	owner := p.split.lane(b, from, from, l.options.Lanes)
	if c.op == decoder.Update && from != c.new && p.split.lane(b, c.new, from, l.options.Lanes) != owner {
		return false, p.unsplit("its keys change")
	}
	return owner == l.number, nil
}

// truncatesSplit fails, in every lane, when a TRUNCATE is of a table that no single
// lane has.
func (l *lane) truncatesSplit(t *truncation, commitLSN decoder.LSN) error {
	for _, r := range t.relations {
		if p := l.current[r]; p.split != nil && !p.skips(commitLSN) {
			return p.unsplit("it is truncated")
		}
	}
	return nil
}

func (p *plan) unsplit(reason string) error {
	return errors.WithStack(&UnsplitError{Namespace: p.relation.Namespace, Name: p.relation.Name, Reason: reason})
}
