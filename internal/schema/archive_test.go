package schema

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// archiveBytes writes what readArchive reads, with fields of the given version.
type archiveBytes struct {
	b       []byte
	version int
}

func (a *archiveBytes) int(n int) {
	sign := byte(0)
	if n < 0 {
		sign, n = 1, -n
	}
	a.b = binary.LittleEndian.AppendUint32(append(a.b, sign), uint32(n))
}

func (a *archiveBytes) strings(texts ...string) {
	for _, s := range texts {
		a.int(len(s))
		a.b = append(a.b, s...)
	}
}

func newArchiveBytes(version int, items ...item) []byte {
	a := &archiveBytes{version: version}
	a.b = append([]byte("PGDMP"), byte(version>>8), byte(version), 0, 4, 8, 1)
	if version >= compressionByName {
		a.b = append(a.b, 0)
	} else {
		a.int(-1)
	}
	for range 7 {
		a.int(1)
	}
	a.strings("db", "15", "15")
	a.int(len(items))
	for _, t := range items {
		a.int(int(t.id))
		a.int(0)
		a.strings("1259", "1", t.tag, t.desc)
		a.int(int(t.section))
		a.strings(t.definition, t.drop)
		a.int(-1)
		a.strings(t.namespace, t.tablespace, t.accessMethod)
		if version >= relationKinds {
			a.int(int(t.relkind))
		}
		a.strings(t.owner, "false")
		for _, d := range t.dependencies {
			a.strings(strconv.Itoa(int(d)))
		}
		a.int(-1)
		a.b = append(a.b, make([]byte, 9)...)
	}
	return a.b
}

func sampleItems() []item {
	return []item{
		{id: 1, desc: "SCHEMA", tag: "app", section: sectionPreData, definition: "CREATE SCHEMA app;\n", drop: "DROP SCHEMA app;\n", owner: "o"},
		{
			id: 7, desc: "TABLE", tag: "t", section: sectionPreData, definition: "CREATE TABLE app.t ();\n", drop: "x",
			namespace: "app", tablespace: "place", accessMethod: "heap", owner: "o", dependencies: []int32{1, 3},
		},
	}
}

func TestReadArchive(t *testing.T) {
	t.Parallel()
	for version := oldestArchive; version <= newestArchive; version++ {
		want := sampleItems()
		if version >= relationKinds {
			want[1].relkind = 'r'
		}
		got, err := readArchive(newArchiveBytes(version, want...))
		if err != nil {
			t.Fatalf("version %#x: %v", version, err)
		}
		if !slices.EqualFunc(got, want, func(a, b item) bool {
			same := slices.Equal(a.dependencies, b.dependencies)
			a.dependencies, b.dependencies = nil, nil
			return same && a.definition == b.definition && a.tag == b.tag && a.desc == b.desc && a.owner == b.owner &&
				a.namespace == b.namespace && a.tablespace == b.tablespace && a.accessMethod == b.accessMethod &&
				a.relkind == b.relkind && a.id == b.id && a.section == b.section && a.drop == b.drop
		}) {
			t.Errorf("version %#x: got %+v, want %+v", version, got, want)
		}
	}
}

func TestReadArchive_Refuses(t *testing.T) {
	t.Parallel()
	whole := newArchiveBytes(oldestArchive, sampleItems()...)
	for n := range whole {
		if _, err := readArchive(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are no archive", n, len(whole))
		}
	}
	if _, err := readArchive(newArchiveBytes(newestArchive + 1)); err == nil || !strings.Contains(err.Error(), "1.17") {
		t.Errorf("a version that is not known: %v", err)
	}
	if _, err := readArchive([]byte("-- PostgreSQL database dump")); err == nil {
		t.Error("a script is no archive")
	}
}

func FuzzReadArchive(f *testing.F) {
	for version := oldestArchive; version <= newestArchive; version++ {
		f.Add(newArchiveBytes(version, sampleItems()...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := readArchive(data)
		if err == nil {
			arrange(items, Options{})
		}
		if len(items) > len(data) {
			t.Errorf("%d items in %d bytes", len(items), len(data))
		}
	})
}

func TestArrange(t *testing.T) {
	t.Parallel()
	entries, leftOut := arrange([]item{
		{id: 1, desc: "ENCODING", section: sectionPreData},
		{id: 2, desc: "ACL", tag: "early", section: sectionNone, dependencies: []int32{3}},
		{id: 3, desc: "TABLE", tag: "t", section: sectionPreData},
		{id: 4, desc: "EVENT TRIGGER", tag: "e", section: sectionPostData},
		{id: 5, desc: "COMMENT", tag: "of e", section: sectionNone, dependencies: []int32{4}},
		{id: 6, desc: "FK CONSTRAINT", tag: "f", section: sectionPostData},
		{id: 7, desc: "FUTURE THING", tag: "pre", section: sectionPreData},
		{id: 8, desc: "FUTURE THING", tag: "post", section: sectionPostData},
		{id: 9, desc: "FUTURE DATA", tag: "data", section: sectionData},
		{id: 10, desc: "PUBLICATION", tag: "walferry_default_app", section: sectionPostData},
		{id: 11, desc: "PUBLICATION TABLE", tag: "walferry_default_app t", section: sectionPostData, dependencies: []int32{10}},
		{id: 12, desc: "CONSTRAINT", tag: "lax", section: sectionPostData, definition: "ALTER TABLE t\n    ADD CONSTRAINT lax NOT NULL a NOT VALID;\n"},
		{id: 13, desc: "RULE", tag: "_RETURN", section: sectionPostData, definition: "CREATE OR REPLACE VIEW v AS SELECT 1;\n"},
		{id: 14, desc: "RULE", tag: "r", section: sectionPostData, definition: "CREATE RULE r AS ON DELETE TO t DO NOTHING;\n"},
		{id: 15, desc: "FUNCTION", tag: "late", section: sectionPostData},
		{id: 17, desc: "ACL", tag: "from owner", owner: "O", section: sectionNone, dependencies: []int32{3}, definition: "REVOKE ALL ON TABLE t FROM \"O\";\nGRANT SELECT ON TABLE t TO \"O\";\n"},
		{id: 18, desc: "ACL", tag: "from another", owner: "o", section: sectionNone, dependencies: []int32{3}, definition: "REVOKE ALL ON TABLE t FROM oo;\n"},
		{id: 16, desc: "VIEW", tag: "on late", section: sectionPreData, dependencies: []int32{15}},
	}, Options{})
	var got []string
	for _, e := range entries {
		got = append(got, string(e.Stage)+" "+e.Name)
	}
	want := []string{
		"pre-data t", "pre-data pre", "pre-data early", "pre-data from another",
		"index _RETURN", "index late", "index on late",
		"finish f", "finish post", "finish lax", "finish r", "finish from owner", "finish e", "finish of e",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(leftOut) != 2 || leftOut[0].Name != "data" || leftOut[1].Name != "walferry_default_app" {
		t.Errorf("left out: %v", leftOut)
	}
}

func TestArrange_Extensions(t *testing.T) {
	t.Parallel()
	items := []item{
		{id: 1, desc: "EXTENSION", tag: "citext", section: sectionPreData},
		{id: 2, desc: "COMMENT", tag: "EXTENSION citext", section: sectionNone, dependencies: []int32{1}},
		{id: 3, desc: "EXTENSION", tag: "hstore", section: sectionPreData},
		{id: 4, desc: "TABLE", tag: "t", section: sectionPreData, dependencies: []int32{1, 3}},
	}
	for _, c := range []struct {
		options       Options
		kept, leftOut int
	}{
		{Options{}, 4, 0},
		{Options{NoExtensions: true}, 1, 2},
		{Options{ExcludeExtensions: []string{"citext"}}, 2, 1},
	} {
		entries, leftOut := arrange(items, c.options)
		if len(entries) != c.kept || len(leftOut) != c.leftOut || entries[len(entries)-1].Name != "t" {
			t.Errorf("%+v: got %v, left out %v", c.options, entries, leftOut)
		}
	}
}

func TestOwnerSQL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		item item
		want string
	}{
		{item{desc: "TABLE", namespace: `a"b`, tag: "T", owner: "o o", drop: "x"}, `ALTER TABLE "a""b"."T" OWNER TO "o o";`},
		{item{desc: "SERVER", tag: "s", owner: "o", drop: "x"}, `ALTER SERVER "s" OWNER TO "o";`},
		{item{desc: "FUNCTION", namespace: "a", tag: "f(int)", owner: "o", drop: "DROP FUNCTION a.f(int);\n"}, `ALTER FUNCTION a.f(int) OWNER TO "o";`},
		{item{desc: "OPERATOR CLASS", namespace: "a", tag: "c", owner: "o", drop: "DROP OPERATOR CLASS a.c USING btree;\n"}, `ALTER OPERATOR CLASS a.c USING btree OWNER TO "o";`},
		{item{desc: "INDEX", namespace: "a", tag: "i", owner: "o", drop: "x"}, ""},
		{item{desc: "TABLE", namespace: "a", tag: "t", drop: "x"}, ""},
		{item{desc: "TABLE", namespace: "a", tag: "t", owner: "o"}, ""},
	} {
		if got := ownerSQL(c.item); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.item, got, c.want)
		}
	}
}

func TestSplitGrants(t *testing.T) {
	t.Parallel()
	got := splitGrants("GRANT ALL ON TABLE \"a;\"\"b\" TO c;\n\nREVOKE x FROM y;;\n SET SESSION AUTHORIZATION z")
	want := []string{`GRANT ALL ON TABLE "a;""b" TO c;`, "REVOKE x FROM y;", "SET SESSION AUTHORIZATION z"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
