package applier

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/walferry/walferry/decoder"
)

// model is a table of two key columns, a value and a value that goes out of line.
type model map[[2]string][4]string

// history makes changes that are valid on a source that holds rows.
type history struct {
	t        *rapid.T
	rows     model
	relation *decoder.Relation
	full     bool
	serial   int
}

func (h *history) fresh(prefix string) string {
	h.serial++
	return fmt.Sprint(prefix, h.serial)
}

func text(s string) decoder.Value { return decoder.Value{Kind: decoder.Text, Data: []byte(s)} }

func tuple(row [4]string) decoder.Tuple {
	t := make(decoder.Tuple, len(row))
	for i, s := range row {
		t[i] = text(s)
	}
	return t
}

// old is what the source publishes of a row's old image.
func (h *history) old(row [4]string) (decoder.OldKind, decoder.Tuple) {
	t := tuple(row)
	if h.full {
		return decoder.OldFull, t
	}
	t[2], t[3] = decoder.Value{Kind: decoder.Null}, decoder.Value{Kind: decoder.Null}
	return decoder.OldKey, t
}

// key draws one of a few keys, so that they are used again.
func (h *history) key() [2]string {
	return [2]string{
		rapid.SampledFrom([]string{"a", "b", "c"}).Draw(h.t, "k1"), rapid.SampledFrom([]string{"x", "y"}).Draw(h.t, "k2"),
	}
}

// step makes a change, or none when what it drew is not possible.
func (h *history) step() *decoder.Change {
	c := &decoder.Change{Relation: h.relation}
	key := h.key()
	row, exists := h.rows[key]
	if !exists {
		row = [4]string{key[0], key[1], h.fresh("v"), h.fresh("long")}
		h.rows[key] = row
		c.Op, c.New = decoder.Insert, tuple(row)
		return c
	}
	if rapid.IntRange(0, 3).Draw(h.t, "delete") == 0 {
		c.Op = decoder.Delete
		c.OldKind, c.Old = h.old(row)
		delete(h.rows, key)
		return c
	}
	c.Op = decoder.Update
	next := row
	next[2] = h.fresh("v")
	unchanged := rapid.Bool().Draw(h.t, "unchanged")
	if !unchanged {
		next[3] = h.fresh("long")
	}
	moved := rapid.Bool().Draw(h.t, "moves")
	if moved {
		to := h.key()
		if _, taken := h.rows[to]; taken {
			moved = false
		} else {
			next[0], next[1] = to[0], to[1]
		}
	}
	c.New = tuple(next)
	if unchanged {
		c.New[3] = decoder.Value{Kind: decoder.Unchanged}
	}
	// An old key is also sent when the key is out of line; then the new one may lack it.
	if sent := rapid.Bool().Draw(h.t, "old key"); moved || h.full || sent {
		c.OldKind, c.Old = h.old(row)
		for i := range 2 {
			if next[i] == row[i] && rapid.Bool().Draw(h.t, "key out of line") {
				c.New[i] = decoder.Value{Kind: decoder.Unchanged}
			}
		}
	}
	delete(h.rows, key)
	h.rows[[2]string{next[0], next[1]}] = next
	return c
}

func foldPlan(relation *decoder.Relation) *plan {
	p := &plan{relation: relation, identity: identityKey, key: []int{0, 1}}
	for i := range relation.Columns {
		p.columns = append(p.columns, column{targetColumn: &targetColumn{bytewise: true}, key: i < 2})
	}
	return p
}

// apply does to a target what the net changes say.
func (m model) apply(t *rapid.T, b *batch, p *plan, s *changeset) {
	read := func(tuple int32, i int) string { return string(b.data(b.value(tuple, i))) }
	keyOf := func(tuple int32) [2]string { return [2]string{read(tuple, 0), read(tuple, 1)} }
	take := func(c *change, tuple int32) [4]string {
		row, exists := m[keyOf(tuple)]
		if !exists {
			t.Fatalf("%c finds no row with key %v in %v", c.op, keyOf(tuple), m)
		}
		delete(m, keyOf(tuple))
		return row
	}
	for i := range s.deletes {
		take(&s.deletes[i], s.deletes[i].old)
	}
	var moved [][4]string
	for i := range s.updates {
		c := &s.updates[i]
		identity := c.new
		if c.oldKind != decoder.OldNone {
			identity = c.old
		}
		row := take(c, identity)
		set := make([]byte, 1)
		p.present(b, c, set)
		for i := range row {
			if has(set, i) {
				row[i] = read(c.new, i)
			}
		}
		moved = append(moved, row)
	}
	for i := range s.inserts {
		c := &s.inserts[i]
		var row [4]string
		for i := range row {
			if b.value(c.new, i).kind != decoder.Text {
				t.Fatalf("an insert lacks column %d", i)
			}
			row[i] = read(c.new, i)
		}
		moved = append(moved, row)
	}
	for _, row := range moved {
		key := [2]string{row[0], row[1]}
		if _, taken := m[key]; taken {
			t.Fatalf("two rows have key %v", key)
		}
		m[key] = row
	}
}

func TestFold_NetEffectIsThatOfTheHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		full := rapid.Bool().Draw(t, "full")
		relation := &decoder.Relation{OID: 1, ReplicaIdentity: decoder.IdentityDefault}
		if full {
			relation.ReplicaIdentity = decoder.IdentityFull
		}
		for i, name := range []string{"k1", "k2", "v", "long"} {
			relation.Columns = append(relation.Columns, decoder.Column{Name: name, Key: full || i < 2})
		}
		h := &history{t: t, rows: model{}, relation: relation, full: full}
		for range rapid.IntRange(0, 5).Draw(t, "rows before") {
			key := h.key()
			h.rows[key] = [4]string{key[0], key[1], h.fresh("v"), h.fresh("long")}
		}
		target := maps.Clone(h.rows)
		p := foldPlan(relation)
		var f fold
		var s changeset
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			b := &batch{}
			b.begin(1)
			var part []int32
			for range rapid.IntRange(1, 30).Draw(t, "changes") {
				if err := b.add(h.step()); err != nil {
					t.Fatal(err)
				}
				part = append(part, int32(len(part)))
			}
			if !f.run(b, p, part, &s) {
				t.Fatal("a valid history was taken for a contradiction")
			}
			target.apply(t, b, p, &s)
			if !maps.Equal(h.rows, target) {
				t.Fatalf("source: %v\ntarget: %v", h.rows, target)
			}
		}
	})
}

func TestFold_ContradictionsAreLeftToTheRows(t *testing.T) {
	t.Parallel()
	relation := &decoder.Relation{OID: 1, ReplicaIdentity: decoder.IdentityDefault, Columns: []decoder.Column{{Name: "k1", Key: true}, {Name: "k2", Key: true}, {Name: "v"}, {Name: "w"}}}
	one, two := tuple([4]string{"a", "x", "1", "1"}), tuple([4]string{"b", "x", "1", "1"})
	insert := func(n decoder.Tuple) *decoder.Change {
		return &decoder.Change{Op: decoder.Insert, Relation: relation, New: n}
	}
	drop := func(o decoder.Tuple) *decoder.Change {
		return &decoder.Change{Op: decoder.Delete, Relation: relation, OldKind: decoder.OldKey, Old: o}
	}
	update := func(o, n decoder.Tuple) *decoder.Change {
		return &decoder.Change{Op: decoder.Update, Relation: relation, OldKind: decoder.OldKey, Old: o, New: n}
	}
	for name, changes := range map[string][]*decoder.Change{
		"insert of a row that is there":          {insert(one), insert(one)},
		"insert after an update":                 {update(one, one), insert(one)},
		"delete twice":                           {drop(one), drop(one)},
		"update of a deleted row":                {drop(one), update(one, one)},
		"update of a key that was left":          {update(one, two), update(one, one)},
		"delete of a key that was left":          {update(one, two), drop(one)},
		"a key moves onto another row":           {insert(two), update(one, two)},
		"an inserted row is deleted and updated": {insert(one), drop(one), update(one, two)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &batch{}
			b.begin(1)
			var part []int32
			for i, c := range changes {
				if err := b.add(c); err != nil {
					t.Fatal(err)
				}
				part = append(part, int32(i))
			}
			var f fold
			var s changeset
			if f.run(b, foldPlan(relation), part, &s) {
				t.Errorf("folded to %+v", s)
			}
		})
	}
}
