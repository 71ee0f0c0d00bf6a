package catalog_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/pgtest"
)

func TestTextReason(t *testing.T) {
	t.Parallel()
	const types = `CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN short AS varchar(10);
		CREATE TYPE pair AS (a int, b text); CREATE TYPE span AS RANGE (subtype = float8)`
	for _, tc := range []struct{ column, target, reason string }{
		{"bigint", "", ""},
		{"numeric(12,2)", "", ""},
		{"mood[]", "", ""},
		{"short", "", ""},
		{"span", "", ""},
		{"tstzrange[]", "", ""},
		{"aclitem", "", ""}, // no send function: text by itself
		{"aclitem[]", "", "aclitem[]"},
		{"regclass", "", "regclass"},
		{"regtype[]", "", "regtype[]"},
		{"money", "", "money"},
		{"pair", "", "pair"},
		{"pair[]", "", "pair[]"},
		{"int", "bigint", "integer on the source and bigint on the target"},
		{"varchar(10)", "varchar(20)", "character varying(10) on the source"},
	} {
		t.Run(tc.column, func(t *testing.T) {
			t.Parallel()
			server := pgtest.Server(t, 15)
			other := tc.target
			if other == "" {
				other = tc.column
			}
			source := pgtest.Connect(t, server.Database(t, types, `CREATE TABLE t (id int, v `+tc.column+`)`))
			target := pgtest.Connect(t, server.Database(t, types, `CREATE TABLE t (v `+other+`, id int)`))
			got, err := catalog.TextReason(t.Context(), source, target, []catalog.Name{{Schema: "public", Name: "t"}})
			if err != nil {
				t.Fatal(err)
			}
			if (got == "") != (tc.reason == "") || !strings.Contains(got, tc.reason) {
				t.Errorf("reason %q, want %q", got, tc.reason)
			}
			copied, err := catalog.CopyTextReasons(t.Context(), source, target, []catalog.Name{{Schema: "public", Name: "t"}})
			if err != nil {
				t.Fatal(err)
			}
			// COPY has one format for all columns of a row.
			if text := len(copied) > 0; text != (tc.reason != "" || tc.column == "aclitem") {
				t.Errorf("COPY: %v", copied)
			}
		})
	}
}
