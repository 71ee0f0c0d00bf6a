package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/catalog"
)

// shop is the table of contents of a small database: two schemas, a type and a function that
// tables use, foreign keys within and between the schemas, a view, a partitioned table.
var shop = []item{
	{id: 1, desc: "ENCODING", tag: "ENCODING"},
	{id: 2, desc: "SCHEMA", tag: "app", owner: "o"},
	{id: 3, desc: "SCHEMA", tag: "log", owner: "o"},
	{id: 4, desc: "EXTENSION", tag: "citext"},
	{id: 5, desc: "TYPE", namespace: "app", tag: "mood", dependencies: []int32{2}},
	{id: 6, desc: "FUNCTION", namespace: "app", tag: "next()", dependencies: []int32{2}},
	{id: 7, desc: "FUNCTION", namespace: "app", tag: "unused()", dependencies: []int32{2}},
	{id: 10, desc: "TABLE", namespace: "app", tag: "orders", dependencies: []int32{2, 5}},
	{id: 11, desc: "SEQUENCE", namespace: "app", tag: "orders_id", dependencies: []int32{2, 10}}, // of an identity column
	{id: 12, desc: "TABLE", namespace: "app", tag: "people", dependencies: []int32{2, 4}},
	{id: 13, desc: "SEQUENCE", namespace: "app", tag: "people_id", dependencies: []int32{2}}, // of a serial column
	{id: 14, desc: "SEQUENCE OWNED BY", namespace: "app", tag: "people_id", dependencies: []int32{12, 13}},
	{id: 15, desc: "DEFAULT", namespace: "app", tag: "people id", dependencies: []int32{12, 13}},
	{id: 16, desc: "TABLE", namespace: "log", tag: "lines", dependencies: []int32{3}},
	{id: 17, desc: "VIEW", namespace: "app", tag: "open", dependencies: []int32{2, 10}},
	{id: 18, desc: "TABLE", namespace: "log", tag: "parts", dependencies: []int32{3}},
	{id: 19, desc: "TABLE", namespace: "log", tag: "part", dependencies: []int32{3}},
	{id: 20, desc: "TABLE ATTACH", namespace: "log", tag: "part", dependencies: []int32{18, 19}},
	{id: 30, desc: "CONSTRAINT", namespace: "app", tag: "orders orders_pkey", dependencies: []int32{10}},
	{id: 31, desc: "CONSTRAINT", namespace: "app", tag: "people people_pkey", dependencies: []int32{12}},
	{id: 32, desc: "INDEX", namespace: "log", tag: "lines_at", dependencies: []int32{16}},
	{id: 33, desc: "TRIGGER", namespace: "app", tag: "orders fill", dependencies: []int32{10, 6}},
	{id: 34, desc: "FK CONSTRAINT", namespace: "app", tag: "orders orders_person", dependencies: []int32{10, 12, 31}},
	{id: 35, desc: "FK CONSTRAINT", namespace: "log", tag: "lines lines_order", dependencies: []int32{16, 10, 30}},
	{id: 40, desc: "COMMENT", namespace: "app", tag: "TABLE orders", dependencies: []int32{10}},
	{id: 41, desc: "ACL", tag: "SCHEMA app", dependencies: []int32{2}},
	{id: 42, desc: "PUBLICATION", tag: "sent"},
	{id: 43, desc: "PUBLICATION TABLE", namespace: "app", tag: "sent orders", dependencies: []int32{42, 10}},
}

// rels are the shop's relations with whether they are chosen.
func rels(chosen ...string) map[catalog.Name]bool {
	m := map[catalog.Name]bool{}
	for _, t := range shop {
		if t.desc == "TABLE" {
			m[catalog.Name{Schema: t.namespace, Name: t.tag}] = slices.Contains(chosen, t.namespace+"."+t.tag)
		}
	}
	return m
}

func TestChoice(t *testing.T) {
	t.Parallel()
	all := make([]int32, len(shop))
	for i := range shop {
		all[i] = shop[i].id
	}
	without := func(ids ...int32) []int32 {
		return slices.DeleteFunc(slices.Clone(all), func(id int32) bool { return slices.Contains(ids, id) })
	}
	for _, c := range []struct {
		name    string
		choice  *Choice
		want    []int32
		leftOut []string
	}{
		{"nothing was chosen", nil, all, nil},
		{
			"a table, with what it needs and what belongs to it",
			&Choice{Relations: rels("app.orders"), Named: true},
			[]int32{1, 2, 5, 6, 10, 11, 30, 33, 40, 41},
			[]string{"FK CONSTRAINT app.orders orders_person: TABLE \"app.people\""},
		},
		{
			"the sequence that a default uses",
			&Choice{Relations: rels("app.people"), Named: true},
			[]int32{1, 2, 4, 12, 13, 14, 15, 31, 41},
			nil,
		},
		{
			"two tables and the key between them",
			&Choice{Relations: rels("app.orders", "app.people"), Named: true},
			[]int32{1, 2, 4, 5, 6, 10, 11, 12, 13, 14, 15, 30, 31, 33, 34, 40, 41},
			nil,
		},
		{
			"a partition without its root",
			&Choice{Relations: rels("log.part"), Named: true},
			[]int32{1, 3, 19},
			nil,
		},
		{
			"a schema, with all that is in it",
			&Choice{Relations: rels("log.lines", "log.parts", "log.part"), Schemas: []string{"log"}, Named: true},
			[]int32{1, 3, 16, 18, 19, 20, 32},
			[]string{"FK CONSTRAINT log.lines lines_order: TABLE \"app.orders\""},
		},
		{
			"a table is excluded, and what cannot be made without it",
			&Choice{Relations: rels(), Excluded: map[catalog.Name]bool{{Schema: "app", Name: "orders"}: true}},
			without(10, 11, 17, 30, 33, 34, 35, 40, 43),
			[]string{"VIEW app.open: TABLE \"app.orders\"", "FK CONSTRAINT log.lines lines_order: TABLE \"app.orders\""},
		},
		{
			"the sequence of an excluded table goes with it",
			&Choice{Relations: rels(), Excluded: map[catalog.Name]bool{{Schema: "app", Name: "people"}: true}},
			without(12, 13, 14, 15, 31, 34),
			[]string{"FK CONSTRAINT app.orders orders_person: TABLE \"app.people\""},
		},
		{
			"a schema is excluded",
			&Choice{Relations: rels(), ExcludedSchemas: []string{"log"}},
			without(3, 16, 18, 19, 20, 32, 35), nil,
		},
		{
			"a schema is named but for a table of it",
			&Choice{
				Relations: rels("app.people"), Schemas: []string{"app"}, Named: true,
				Excluded: map[catalog.Name]bool{{Schema: "app", Name: "orders"}: true},
			},
			[]int32{1, 2, 4, 5, 6, 7, 12, 13, 14, 15, 31, 41},
			[]string{"VIEW app.open: TABLE \"app.orders\""},
		},
	} {
		items, left := c.choice.choose(slices.Clone(shop))
		var got []int32
		for _, t := range items {
			got = append(got, t.id)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		var leftOut []string
		for _, l := range left {
			leftOut = append(leftOut, l.Kind+" "+l.Schema+"."+l.Name+": "+strings.TrimSuffix(strings.TrimPrefix(l.Reason, "it needs "), ", which was not chosen"))
		}
		if !slices.Equal(leftOut, c.leftOut) {
			t.Errorf("%s: left out %q, want %q", c.name, leftOut, c.leftOut)
		}
	}
}
