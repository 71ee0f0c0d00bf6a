package schema

import (
	"slices"
	"strings"

	"github.com/walferry/walferry/internal/catalog"
)

// Choice says which relations and schemas were chosen of a database.
//
// Where something was named, the chosen relations and everything in the named
// schemas is moved, with what that cannot be made without: types, functions,
// extensions, also from elsewhere. Where things were only excluded, all is moved
// that can be made without them.
type Choice struct {
	// Relations holds every table, foreign table and materialized view, with whether
	// it was chosen.
	// Excluded holds those that would have been but for an exclusion.
	Relations, Excluded map[catalog.Name]bool
	// Schemas were named, ExcludedSchemas excluded.
	Schemas, ExcludedSchemas []string
	// Named says that something was named.
	Named bool
}

// attached are the kinds that go with the object that they belong to.
var attached = []string{
	"ACL", "CHECK CONSTRAINT", "COMMENT", "CONSTRAINT", "DEFAULT", "FK CONSTRAINT", "INDEX", "INDEX ATTACH",
	"MATERIALIZED VIEW DATA", "POLICY", "ROW SECURITY", "RULE", "SECURITY LABEL", "SEQUENCE", "SEQUENCE OWNED BY",
	"STATISTICS", "TABLE ATTACH", "TRIGGER", "USER MAPPING",
}

// tying are those of them that tie two relations, and are left out without the other one.
var tying = []string{"FK CONSTRAINT", "INDEX ATTACH", "TABLE ATTACH"}

// chooser divides a dump's items by a choice.
type chooser struct {
	*Choice

	items []item
	byID  map[int32]*item
	kept  map[int32]bool
}

// choose returns the items that a choice moves, and what it leaves out although
// nobody asked for that.
func (c *Choice) choose(items []item) ([]item, []LeftOut) {
	if c == nil {
		return items, nil
	}
	ch := &chooser{Choice: c, items: items, byID: make(map[int32]*item, len(items)), kept: make(map[int32]bool, len(items))}
	for i := range items {
		ch.byID[items[i].id] = &items[i]
	}
	gone, leftOut := ch.excluded()
	if c.Named {
		leftOut = append(slices.DeleteFunc(leftOut, func(l LeftOut) bool { return !slices.Contains(c.Schemas, l.Schema) }), ch.named(gone)...)
	} else {
		for id, is := range gone {
			ch.kept[id] = !is
		}
	}
	var chosen []item
	for _, t := range items {
		if ch.kept[t.id] || placements[t.desc].silent {
			chosen = append(chosen, t)
		}
	}
	return chosen, leftOut
}

// relation says whether an item is a relation that rows are chosen by, and its name.
func (ch *chooser) relation(t *item) (catalog.Name, bool) {
	name := catalog.Name{Schema: t.namespace, Name: t.tag}
	if t.desc != "TABLE" && t.desc != "FOREIGN TABLE" && t.desc != "MATERIALIZED VIEW" {
		return name, false
	}
	_, known := ch.Relations[name]
	return name, known
}

// named keeps what was named, what that needs, and what belongs to it, but for what
// is gone.
func (ch *chooser) named(gone map[int32]bool) (leftOut []LeftOut) {
	for i := range ch.items {
		t := &ch.items[i]
		name, isRelation := ch.relation(t)
		switch {
		case gone[t.id]:
		case isRelation:
			if ch.Relations[name] {
				ch.keep(t)
			}
		case slices.Contains(ch.Schemas, t.namespace) && !slices.Contains(attached, t.desc),
			t.desc == "SCHEMA" && slices.Contains(ch.Schemas, t.tag):
			ch.keep(t)
		}
	}
	for changed := true; changed; {
		changed = false
		for i := range ch.items {
			t := &ch.items[i]
			if !ch.kept[t.id] && !gone[t.id] && ch.belongs(t) && ch.missing(t) == nil {
				ch.keep(t)
				changed = true
			}
		}
	}
	for i := range ch.items {
		t := &ch.items[i]
		if own := ch.ownTable(t); own != nil && ch.kept[own.id] && !ch.kept[t.id] && !gone[t.id] {
			leftOut = append(leftOut, leave(t, ch.missing(t)))
		}
	}
	return leftOut
}

// keep keeps an item with all that it depends on.
func (ch *chooser) keep(t *item) {
	if ch.kept[t.id] {
		return
	}
	ch.kept[t.id] = true
	for _, id := range t.dependencies {
		if d := ch.byID[id]; d != nil {
			ch.keep(d)
		}
	}
}

// belongs says that an item goes with one that is kept. A schema keeps what is said
// of itself, and its default privileges.
func (ch *chooser) belongs(t *item) bool {
	if !slices.Contains(attached, t.desc) && t.desc != "DEFAULT ACL" || len(t.dependencies) == 0 {
		return false
	}
	if t.desc == "SEQUENCE" {
		// Of an identity column. Others are kept by what uses them.
		return slices.ContainsFunc(t.dependencies, func(id int32) bool {
			d := ch.byID[id]
			return ch.kept[id] && d != nil && d.desc == "TABLE"
		})
	}
	return slices.ContainsFunc(t.dependencies, func(id int32) bool { return ch.kept[id] })
}

// missing returns a relation that an item ties to another one and that is not kept.
func (ch *chooser) missing(t *item) *item {
	if !slices.Contains(tying, t.desc) {
		return nil
	}
	for _, id := range t.dependencies {
		if d := ch.byID[id]; d != nil && !ch.kept[id] && !slices.Contains([]string{"SCHEMA", "EXTENSION"}, d.desc) {
			return d
		}
	}
	return nil
}

// excluded finds what was excluded and what cannot be made without it.
func (ch *chooser) excluded() (gone map[int32]bool, leftOut []LeftOut) {
	gone = map[int32]bool{}
	owned := map[catalog.Name]bool{} // sequences of tables that are gone
	for i := range ch.items {
		t := &ch.items[i]
		name, isRelation := ch.relation(t)
		gone[t.id] = isRelation && ch.Excluded[name] || slices.Contains(ch.ExcludedSchemas, t.namespace) ||
			t.desc == "SCHEMA" && slices.Contains(ch.ExcludedSchemas, t.tag)
	}
	for changed := true; changed; {
		changed = false
		for i := range ch.items {
			t := &ch.items[i]
			name := catalog.Name{Schema: t.namespace, Name: t.tag}
			if gone[t.id] || t.desc == "SCHEMA" || t.desc == "PUBLICATION" {
				continue
			}
			cause := slices.IndexFunc(t.dependencies, func(id int32) bool { return gone[id] })
			if cause < 0 && (t.desc != "SEQUENCE" || !owned[name]) {
				continue
			}
			gone[t.id], changed = true, true
			owned[name] = owned[name] || t.desc == "SEQUENCE OWNED BY"
			if cause >= 0 && (!slices.Contains(attached, t.desc) || t.desc == "FK CONSTRAINT") && t.desc != "PUBLICATION TABLE" {
				if own := ch.ownTable(t); own == nil || !gone[own.id] {
					leftOut = append(leftOut, leave(t, ch.byID[t.dependencies[cause]]))
				}
			}
		}
	}
	return gone, leftOut
}

// ownTable is the table of a foreign key, which its tag begins with; nil of others.
func (ch *chooser) ownTable(t *item) *item {
	if t.desc != "FK CONSTRAINT" {
		return nil
	}
	for _, id := range t.dependencies {
		if d := ch.byID[id]; d != nil && d.desc == "TABLE" && d.namespace == t.namespace && strings.HasPrefix(t.tag, d.tag+" ") {
			return d
		}
	}
	return nil
}

func leave(t, cause *item) LeftOut {
	e := Entry{Kind: cause.desc, Schema: cause.namespace, Name: cause.tag}
	return LeftOut{Kind: t.desc, Schema: t.namespace, Name: t.tag, Reason: "it needs " + e.Object() + ", which was not chosen"}
}
