package sqltext_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/sqltext"
)

func TestParseTablePattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, database, schema, name string
	}{
		{"orders", "", "", "^(orders)$"},
		{"Orders", "", "", "^(orders)$"},
		{`"Orders"`, "", "", "^(Orders)$"},
		{"app.ord*", "", "^(app)$", "^(ord.*)$"},
		{"app.t?", "", "^(app)$", "^(t.)$"},
		{`"app.v2".*`, "", `^(app\.v2)$`, "^(.*)$"},
		{`"a""b".c`, "", `^(a"b)$`, "^(c)$"},
		{"log_[0-9]+|audit", "", "", "^(log_[0-9]+|audit)$"},
		{`"log[0-9]*"`, "", "", `^(log\[0-9\]\*)$`},
		{"pay$", "", "", `^(pay\$)$`},
		{`"pay$"`, "", "", `^(pay\$)$`},
		{"int[]", "", "", `^(int\[])$`},
		{`Shop."Public".T`, "shop", "^(Public)$", "^(t)$"},
		{`O"rde"RS`, "", "", "^(orders)$"},
		{"bücher", "", "", "^(bücher)$"},
	} {
		p, err := sqltext.ParseTablePattern(c.text)
		if err != nil {
			t.Errorf("ParseTablePattern(%q): %v", c.text, err)
			continue
		}
		if p.Database != c.database || p.Schema != c.schema || p.Name != c.name || p.Text != c.text {
			t.Errorf("ParseTablePattern(%q) = %+v, want %+v", c.text, p, c)
		}
	}
}

func TestParseSchemaPattern(t *testing.T) {
	t.Parallel()
	p, err := sqltext.ParseSchemaPattern(`Shop."My*"`)
	if err != nil {
		t.Fatal(err)
	}
	if p.Database != "shop" || p.Schema != `^(My\*)$` || p.Name != "" {
		t.Errorf("got %+v", p)
	}
	if _, err := sqltext.ParseSchemaPattern("a.b.c"); err == nil {
		t.Error("three parts name no schema")
	}
}

func TestParseTablePattern_Refuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", ".", "a.", ".a", `"a`, "a.b.c.d", `""`, "a\x00b"} {
		if p, err := sqltext.ParseTablePattern(text); err == nil {
			t.Errorf("ParseTablePattern(%q) = %+v, want an error", text, p)
		}
	}
}

func FuzzParseTablePattern(f *testing.F) {
	for _, seed := range []string{"a.b", `"A""b".*`, "x[0-9]?", `"$`, "[]", "ü.ß"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := sqltext.ParseTablePattern(text)
		if err == nil {
			for _, re := range []string{p.Schema, p.Name} {
				if re != "" && (!strings.HasPrefix(re, "^(") || !strings.HasSuffix(re, ")$")) {
					t.Errorf("%q: %q is not anchored", text, re)
				}
			}
		}
		// A quoted name is a pattern that names exactly itself.
		name := strings.ReplaceAll(text, "\x00", "")
		if name == "" {
			return
		}
		q, err := sqltext.ParseTablePattern(sqltext.Ident(name))
		if err != nil {
			t.Fatalf("quoted %q: %v", name, err)
		}
		if got := unescape(t, q.Name); got != name {
			t.Errorf("quoted %q matches %q", name, got)
		}
	})
}

// unescape turns an expression without operators back into what it matches.
func unescape(t *testing.T, re string) string {
	t.Helper()
	re = strings.TrimSuffix(strings.TrimPrefix(re, "^("), ")$")
	var b strings.Builder
	for i := 0; i < len(re); i++ {
		if re[i] == '\\' {
			i++
		} else if strings.IndexByte(`|*+?(){}.^$`, re[i]) >= 0 {
			t.Fatalf("%q holds a bare %q", re, re[i])
		}
		b.WriteByte(re[i])
	}
	return b.String()
}
