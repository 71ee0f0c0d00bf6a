package applier

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/decoder"
)

// shape is a statement for the changes of one table that have the same columns
// present, with where its parameters come from.
type shape struct {
	statement *statement
	sql       string
	params    []param
	// set are the columns that an UPDATE sets; old reports that the old tuple
	// identifies the row.
	set []int
	old bool
	// moves reports that the row is taken out and put in again.
	moves bool
}

// param is one parameter of a statement: a column of the old or the new tuple.
type param struct {
	old    bool
	column int
}

// statementText builds a shape.
type statementText struct {
	strings.Builder
	params []param
}

func (s *statementText) shape() *shape {
	return &shape{sql: s.String(), params: s.params}
}

func (s *statementText) param(old bool, column int) {
	s.params = append(s.params, param{old, column})
	s.WriteByte('$')
	s.WriteString(strconv.Itoa(len(s.params)))
}

// cast writes a parameter whose type the context would not give.
func (s *statementText) cast(p *plan, old bool, column int) {
	s.param(old, column)
	s.WriteString("::")
	s.WriteString(p.columns[column].typeName)
}

// list writes sep before every item but the first.
func (s *statementText) list(i int, sep string) {
	if i > 0 {
		s.WriteString(sep)
	}
}

// insertShape is the INSERT of a whole row.
func (p *plan) insertShape() *shape {
	var s statementText
	written := p.written()
	s.WriteString("INSERT INTO " + p.table.sql())
	if len(written) == 0 {
		s.WriteString(" DEFAULT VALUES")
		return s.shape()
	}
	s.WriteString(" (")
	for n, i := range written {
		s.list(n, ", ")
		s.WriteString(p.columns[i].quoted)
	}
	s.WriteString(") OVERRIDING SYSTEM VALUE VALUES (")
	for n, i := range written {
		s.list(n, ", ")
		s.param(false, i)
	}
	s.WriteString(")")
	return s.shape()
}

// written returns the columns that the target stores as they come.
func (p *plan) written() []int {
	written := make([]int, 0, len(p.columns))
	for i := range p.columns {
		if !p.columns[i].generated {
			written = append(written, i)
		}
	}
	return written
}

// updateShape is the UPDATE of the columns in set. null are the columns of the old
// tuple that are NULL, where all of them identify the row.
func (p *plan) updateShape(set []byte, old bool, null []byte) *shape {
	var s statementText
	s.WriteString("UPDATE " + p.table.only() + " SET ")
	n := 0
	for i := range p.columns {
		if has(set, i) {
			s.list(n, ", ")
			n++
			s.WriteString(p.columns[i].quoted + " = ")
			s.param(false, i)
		}
	}
	s.where(p, old, null)
	return s.shape()
}

// deleteShape is the DELETE of one row.
func (p *plan) deleteShape(null []byte) *shape {
	var s statementText
	s.WriteString("DELETE FROM " + p.table.only())
	s.where(p, true, null)
	return s.shape()
}

// moveShape changes a column that UPDATE cannot, an identity GENERATED ALWAYS: it
// takes the row out and puts it in again with the columns in set replaced.
func (p *plan) moveShape(set []byte, old bool, null []byte) *shape {
	var s statementText
	s.WriteString("WITH gone AS (DELETE FROM " + p.table.only())
	s.where(p, old, null)
	s.WriteString(" RETURNING *) INSERT INTO " + p.table.sql() + " (")
	var values statementText
	values.params = s.params
	n := 0
	for t := range p.table.columns {
		c := &p.table.columns[t]
		if c.generated {
			continue
		}
		s.list(n, ", ")
		values.list(n, ", ")
		n++
		s.WriteString(quote(c.name))
		if i := p.columnOf(c); i >= 0 && has(set, i) {
			values.cast(p, false, i)
		} else {
			values.WriteString("gone." + quote(c.name))
		}
	}
	s.WriteString(") OVERRIDING SYSTEM VALUE SELECT " + values.String() + " FROM gone")
	s.params = values.params
	return s.shape()
}

// columnOf returns the source column that goes to c, -1 if none does.
func (p *plan) columnOf(c *targetColumn) int {
	for i := range p.columns {
		if p.columns[i].targetColumn == c {
			return i
		}
	}
	return -1
}

// where writes the condition that finds the row.
func (s *statementText) where(p *plan, old bool, null []byte) {
	s.WriteString(" WHERE ")
	if p.identity == identityKey {
		for n, i := range p.key {
			s.list(n, " AND ")
			c := &p.columns[i]
			s.WriteString(c.quoted + " " + c.equal + " ")
			s.cast(p, old, i)
		}
		return
	}
	columns := "ctid"
	if p.table.partitioned {
		columns = "tableoid, ctid"
	}
	s.WriteString("(" + columns + ") = (SELECT " + columns + " FROM " + p.table.only())
	separator := " WHERE "
	for i := range p.columns {
		c := &p.columns[i]
		if c.generated {
			continue
		}
		s.WriteString(separator)
		separator = " AND "
		switch {
		case has(null, i):
			s.WriteString(c.quoted + " IS NULL")
		case c.bytewise:
			s.WriteString(c.quoted + " " + c.equal + " ")
			s.cast(p, true, i)
		default:
			// Equal rows need not look the same (1.0 and 1.00), and some types have no equality.
			s.WriteString(c.quoted + "::text = (")
			s.cast(p, true, i)
			s.WriteString(")::text")
		}
	}
	s.WriteString(" LIMIT 1)")
}

// has reports whether bit i of a set of columns is on.
func has(set []byte, i int) bool {
	return set[i/8]&(1<<(i%8)) != 0
}

// on turns bit i of a set of columns on.
func on(set []byte, i int) {
	set[i/8] |= 1 << (i % 8)
}

// shapeFor returns the statement for a change, nil when the change has nothing to
// do. What the statement looks like depends only on the bytes of its key, so the
// text is built once per shape.
func (p *plan) shapeFor(b *batch, c *change) *shape {
	width := (len(p.columns) + 7) / 8
	p.scratch = append(p.scratch[:0], byte(c.op), 0)
	p.scratch = append(p.scratch, make([]byte, 2*width)...)
	op, set, null := &p.scratch[0], p.scratch[2:2+width], p.scratch[2+width:]
	old := c.op == decoder.Delete || c.oldKind != decoder.OldNone
	if old {
		p.scratch[1] = 1
	}
	if c.op == decoder.Update {
		moves, sets := p.present(b, c, set)
		if !sets {
			return nil
		}
		if moves {
			*op = 'M'
		}
	}
	if c.op != decoder.Insert && p.identity == identityRow {
		for i := range p.columns {
			if b.value(c.old, i).kind == decoder.Null {
				on(null, i)
			}
		}
	}
	s, ok := p.shapes[string(p.scratch)]
	if !ok {
		s = p.newShape(*op, set, old, null)
		if len(p.shapes) >= maxShapes {
			clear(p.shapes)
		}
		p.shapes[string(p.scratch)] = s
	}
	return s
}

// maxShapes bounds the statement texts that are kept for one table.
const maxShapes = 256

func (p *plan) newShape(op byte, set []byte, old bool, null []byte) *shape {
	switch op {
	case byte(decoder.Insert):
		return p.insertShape()
	case byte(decoder.Delete):
		return p.deleteShape(null)
	case 'M':
		s := p.moveShape(set, old, null)
		s.moves = true
		return s
	default:
		s := p.updateShape(set, old, null)
		for i := range p.columns {
			if has(set, i) {
				s.set = append(s.set, i)
			}
		}
		s.old = old
		return s
	}
}

// present turns on the columns that an UPDATE sets, and reports whether it changes
// a column that only a move can change, and whether it sets any.
func (p *plan) present(b *batch, c *change, set []byte) (moves, sets bool) {
	for i := range p.columns {
		column := &p.columns[i]
		if column.generated || b.value(c.new, i).kind == decoder.Unchanged {
			continue
		}
		if column.key || column.identityAlways {
			if p.keeps(b, c, i) {
				continue
			}
			moves = moves || column.identityAlways
		}
		on(set, i)
		sets = true
	}
	return moves, sets
}

// keeps reports whether an UPDATE certainly leaves column i as it was.
func (p *plan) keeps(b *batch, c *change, i int) bool {
	known := c.oldKind == decoder.OldFull || c.oldKind == decoder.OldKey && p.relation.Columns[i].Key
	if known {
		return b.equal(b.value(c.old, i), b.value(c.new, i))
	}
	// Without an old tuple no column of the replica identity has changed.
	return p.relation.Columns[i].Key
}

// quote makes a name an identifier.
func quote(name string) string {
	return pgx.Identifier{name}.Sanitize()
}
