package catalog_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/catalog"
)

func TestTables(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, shopSQL)
			tables, err := catalog.Tables(t.Context(), conn, catalog.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, table := range tables {
				lines = append(lines, describe(table))
			}
			generated := "identified"
			if major >= 18 {
				generated = `its replica identity FULL includes the generated column "b"`
			}
			want := []string{
				`Mixed Case.Order "1" r key [B c a] by [B c a]: identified`,
				`app.base r parent key [id] by [id]: identified`,
				`app.by_index r by [b a]: identified`,
				`app.customer r key [id] by [id]: identified`,
				`app.heir r inherits: it has no primary key`,
				`app.late r key [a] deferrable: its primary key is deferrable`,
				`app.nokey r: it has no primary key`,
				`app.part p parent: partition "empty_one.part_sub_1": it has no primary key`,
				`app.part_2024 r in app.part of app.part key [at] by [at]: identified`,
				`app.part_sub p in app.part of app.part parent: partition "empty_one.part_sub_1": it has no primary key`,
				`app.serial r: it has no primary key`,
				`app.silent r key [a]: its replica identity is NOTHING`,
				`app.unlogged r unlogged key [id] by [id]: identified`,
				`app.whole r: identified`,
				`app.whole_generated r: ` + generated,
				`empty_one.part_sub_1 r in app.part_sub of app.part: it has no primary key`,
			}
			if !slices.Equal(lines, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func describe(t catalog.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %c", t.Name, t.Kind)
	if t.Persistence == catalog.Unlogged {
		b.WriteString(" unlogged")
	}
	if t.IsPartition {
		fmt.Fprintf(&b, " in %s of %s", t.Parent, t.Root)
	}
	if t.HasChildren {
		b.WriteString(" parent")
	}
	if t.Inherits {
		b.WriteString(" inherits")
	}
	if t.PrimaryKey != nil {
		fmt.Fprintf(&b, " key %v", t.PrimaryKey)
	}
	if t.PrimaryKeyDeferrable {
		b.WriteString(" deferrable")
	}
	if t.Identity != nil {
		fmt.Fprintf(&b, " by %v", t.Identity)
	}
	if t.Identified() {
		b.WriteString(": identified")
	} else {
		b.WriteString(": " + t.IdentityProblem())
	}
	return b.String()
}

// TestListTables finds the same without a look into the tables.
func TestListTables(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, shopSQL)
			for _, f := range []catalog.Filter{{}, {Tables: []string{"app.part"}}, {ExcludeSchemas: []string{"app"}}} {
				tables, err := catalog.Tables(t.Context(), conn, f)
				if err != nil {
					t.Fatal(err)
				}
				var want []catalog.ListedTable
				for _, table := range tables {
					if table.Kind == catalog.KindTable {
						want = append(want, catalog.ListedTable{Name: table.Name, Persistence: table.Persistence, Root: table.Root})
					}
				}
				got, err := catalog.ListTables(t.Context(), conn, f)
				if err != nil || len(got) == 0 {
					t.Fatalf("%v, %v", got, err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
}

func TestTables_Columns(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, shopSQL)
			tables, err := catalog.Tables(t.Context(), conn, catalog.Filter{Tables: []string{"app.customer"}})
			if err != nil || len(tables) != 1 {
				t.Fatalf("%v, %v", tables, err)
			}
			table := tables[0]
			var lines []string
			for _, c := range table.Columns {
				lines = append(lines, fmt.Sprintf("%d %s %s %d null=%t %q %q default=%t %s",
					c.AttNum, c.Name, c.TypeName, c.Typmod, !c.NotNull, c.Generated, c.Identity, c.HasDefault, c.Collation))
			}
			want := []string{
				`1 id bigint -1 null=false "" "a" default=false `,
				`2 email public.citext -1 null=false "" "" default=false `,
				`3 mood app.mood -1 null=true "" "" default=true `,
				`4 price numeric(10,2)[] 655366 null=true "" "" default=false `,
				`6 twice integer -1 null=true "s" "" default=false `,
				`7 nick text -1 null=true "" "" default=false app.ci`,
			}
			if !slices.Equal(lines, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
			if table.EstimatedRows != -1 || table.Bytes == 0 || table.Owner == "" || table.AccessMethod != "heap" {
				t.Errorf("never analyzed, with a TOAST table: %+v", table)
			}
			if table.Column("nick") == nil || table.Column("gone") != nil {
				t.Error("Column finds what exists, and nothing else")
			}
		})
	}
}

func TestTables_Filter(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, shopSQL)
			for _, c := range []struct {
				filter catalog.Filter
				want   string
			}{
				{catalog.Filter{Tables: []string{"customer", "app.no*"}}, "app.customer app.nokey"},
				{catalog.Filter{Tables: []string{`"Mixed Case".*`}}, `Mixed Case.Order "1"`},
				{catalog.Filter{Tables: []string{"app.part"}}, "app.part app.part_2024 app.part_sub empty_one.part_sub_1"},
				{catalog.Filter{Tables: []string{"part_sub"}}, "app.part_sub empty_one.part_sub_1"},
				{catalog.Filter{Tables: []string{"part_2024"}}, "app.part_2024"},
				{catalog.Filter{Tables: []string{"part"}, ExcludeTables: []string{"part_sub"}}, "app.part app.part_2024"},
				{catalog.Filter{Tables: []string{"part_2024", "nokey"}, ExcludeTables: []string{"part"}}, "app.nokey"},
				{catalog.Filter{Tables: []string{"nokey"}, Schemas: []string{`"Mixed Case"`}}, `Mixed Case.Order "1" app.nokey`},
				{catalog.Filter{ExcludeSchemas: []string{"app"}}, `Mixed Case.Order "1"`},
				{catalog.Filter{Tables: []string{"app.(late|silent)"}}, "app.late app.silent"},
				{catalog.Filter{Schemas: []string{"public"}}, ""},
			} {
				tables, err := catalog.Tables(t.Context(), conn, c.filter)
				if err != nil {
					t.Errorf("%+v: %v", c.filter, err)
					continue
				}
				var names []string
				for _, table := range tables {
					names = append(names, table.String())
				}
				if got := strings.Join(names, " "); got != c.want {
					t.Errorf("%+v: got %s, want %s", c.filter, got, c.want)
				}
			}
			for _, c := range []struct {
				filter    catalog.Filter
				err, hint string
			}{
				{catalog.Filter{Tables: []string{"custmer"}}, `no table matches pattern "custmer"`, `"app"."customer"`},
				{catalog.Filter{Tables: []string{`app."Nokey"`}}, `no table matches`, `"app"."nokey"`},
				{catalog.Filter{ExcludeTables: []string{"nothing_like_it"}}, `"nothing_like_it"`, ""},
				{catalog.Filter{Schemas: []string{"ap"}}, `no schema matches pattern "ap"`, `"app"`},
				{catalog.Filter{Schemas: []string{"walferry"}}, `no schema matches pattern "walferry"`, ""},
				{catalog.Filter{Tables: []string{"elsewhere.app.customer"}}, "elsewhere.app.customer", ""},
				{catalog.Filter{Tables: []string{"pg_catalog.pg_class"}}, "pg_catalog.pg_class", ""},
				{catalog.Filter{Tables: []string{`"open`}}, "double quote", ""},
			} {
				_, err := catalog.Tables(t.Context(), conn, c.filter)
				if err == nil || !strings.Contains(fmt.Sprintf("%+v", err), c.err) || !strings.Contains(errors.FlattenHints(err), c.hint) {
					t.Errorf("%+v: error %v, hints %q, want %s and %s", c.filter, err, errors.FlattenHints(err), c.err, c.hint)
				}
			}
		})
	}
}

func TestSkipped(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, shopSQL)
			skipped, err := catalog.Skipped(t.Context(), conn, catalog.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			want := []catalog.SkippedRelation{
				{Name: catalog.Name{Schema: "app", Name: "remote"}, Kind: catalog.KindForeign},
				{Name: catalog.Name{Schema: "app", Name: "summary"}, Kind: catalog.KindMaterializedView},
			}
			if !slices.Equal(skipped, want) {
				t.Errorf("got %v, want %v", skipped, want)
			}
		})
	}
}
