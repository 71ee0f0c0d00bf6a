package snapshot

import "testing"

func TestTable_Statements(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		table    Table
		chunk    *chunk
		freeze   bool
		from, to string
	}{
		{
			name:  "ordinary",
			table: Table{Namespace: "public", Name: "orders", Columns: []string{"id", "note"}},
			from:  `COPY "public"."orders" ("id", "note") TO STDOUT`,
			to:    `COPY "public"."orders" ("id", "note") FROM STDIN`,
		},
		{
			name:   "binary and frozen",
			table:  Table{Namespace: "public", Name: "orders", Columns: []string{"id"}, Binary: true},
			freeze: true,
			from:   `COPY "public"."orders" ("id") TO STDOUT WITH (FORMAT binary)`,
			to:     `COPY "public"."orders" ("id") FROM STDIN WITH (FORMAT binary, FREEZE)`,
		},
		{
			name:  "filter",
			table: Table{Namespace: "public", Name: "orders", Columns: []string{"id"}, Where: "(id > 7)"},
			from:  `COPY (SELECT "id" FROM ONLY "public"."orders" WHERE (id > 7)) TO STDOUT`,
			to:    `COPY "public"."orders" ("id") FROM STDIN`,
		},
		{
			name:  "root of partitions",
			table: Table{Namespace: "public", Name: "orders", Columns: []string{"id"}, Descendants: true},
			from:  `COPY (SELECT "id" FROM "public"."orders") TO STDOUT`,
			to:    `COPY "public"."orders" ("id") FROM STDIN`,
		},
		{
			name:  "names that need quotes",
			table: Table{Namespace: `My "Schema"`, Name: "select", Columns: []string{`a"b`, "Ü x"}},
			from:  `COPY "My ""Schema"""."select" ("a""b", "Ü x") TO STDOUT`,
			to:    `COPY "My ""Schema"""."select" ("a""b", "Ü x") FROM STDIN`,
		},
		{
			name:  "chunk of a filtered table",
			table: Table{Namespace: "public", Name: "orders", Columns: []string{"id"}, Where: "(id > 7 OR x)"},
			chunk: &chunk{relation: `"public"."orders"`, where: "ctid < '(7,0)'"},
			from:  `COPY (SELECT "id" FROM ONLY "public"."orders" WHERE ((id > 7 OR x)) AND ctid < '(7,0)') TO STDOUT`,
			to:    `COPY "public"."orders" ("id") FROM STDIN`,
		},
		{
			name:  "partition that is a chunk",
			table: Table{Namespace: "public", Name: "orders", Columns: []string{"id"}, Descendants: true},
			chunk: &chunk{relation: `p1`},
			from:  `COPY p1 ("id") TO STDOUT`,
			to:    `COPY "public"."orders" ("id") FROM STDIN`,
		},
		{
			name:  "no columns",
			table: Table{Namespace: "public", Name: "empty"},
			from:  `COPY "public"."empty" TO STDOUT`,
			to:    `COPY "public"."empty" FROM STDIN`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.table.copyTo(tc.chunk); got != tc.from {
				t.Errorf("source: %s\n want:  %s", got, tc.from)
			}
			if got := tc.table.copyFrom(tc.freeze); got != tc.to {
				t.Errorf("target: %s\n want:  %s", got, tc.to)
			}
		})
	}
}
