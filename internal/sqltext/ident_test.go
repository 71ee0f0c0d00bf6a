package sqltext_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/walferry/walferry/internal/sqltext"
)

func TestIdent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{sqltext.Ident("a"), `"a"`},
		{sqltext.Ident("My Schema", `we"ird`), `"My Schema"."we""ird"`},
		{sqltext.Ident("a\x00b"), `"ab"`},
		{sqltext.Idents([]string{"a", "B"}), `"a", "B"`},
		{sqltext.Literal("it's"), `'it''s'`},
		{sqltext.Literal(`a\'b`), ` E'a\\''b'`},
		{sqltext.Regclass("public", `o'"x`), `'"public"."o''""x"'::pg_catalog.regclass`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestObjectName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, db, want string }{
		{"default", "app", `walferry_default_app`},
		{"default", "my_app", `walferry_default_my_app`},
		{"default", "My-App", `walferry_default__y__pp_[0-9a-f]{8}`},
		{"two_words", "app", `walferry_two_words_app_[0-9a-f]{8}`},
		{"default", strings.Repeat("x", 60), `walferry_default_x{37}_[0-9a-f]{8}`},
	} {
		got := sqltext.ObjectName("walferry", c.name, c.db)
		if !regexp.MustCompile("^" + c.want + "$").MatchString(got) {
			t.Errorf("ObjectName(%q, %q) = %s, want %s", c.name, c.db, got, c.want)
		}
	}
}

func TestObjectName_IsLegalAndUnique(t *testing.T) {
	t.Parallel()
	legal := regexp.MustCompile(`^[a-z0-9_]{1,63}$`)
	part := rapid.StringMatching(`[a-bA-B_\-ü]{1,40}`)
	rapid.Check(t, func(r *rapid.T) {
		n1, d1 := part.Draw(r, "name1"), part.Draw(r, "db1")
		n2, d2 := part.Draw(r, "name2"), part.Draw(r, "db2")
		if rapid.Bool().Draw(r, "shift") {
			// The same text, cut in another place.
			d1, n2, d2 = n2+"_"+d1, n1+"_"+n2, d1
		}
		o1 := sqltext.ObjectName("walferry", n1, d1)
		o2 := sqltext.ObjectName("walferry", n2, d2)
		if !legal.MatchString(o1) {
			r.Fatalf("%q is no slot name", o1)
		}
		if (n1 != n2 || d1 != d2) && o1 == o2 {
			r.Fatalf("(%q, %q) and (%q, %q) share %s", n1, d1, n2, d2, o1)
		}
		if s := sqltext.Suffixed(o1, "_insert"); !legal.MatchString(s) {
			r.Fatalf("%q is no name", s)
		}
	})
}
