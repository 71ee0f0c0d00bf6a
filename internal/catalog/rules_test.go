package catalog_test

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
)

//go:embed testdata/rules.sql
var rulesSQL string

func oids(t *testing.T, conn *pgx.Conn) []uint32 {
	t.Helper()
	tables, err := catalog.Tables(t.Context(), conn, catalog.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]uint32, len(tables))
	for i, table := range tables {
		all[i] = table.OID
	}
	return all
}

func TestForeignKeys(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, rulesSQL)
			want := []string{
				`app.egg of_hen [hen] to app.hen: FOREIGN KEY (hen) REFERENCES app.hen(id) ON DELETE CASCADE NOT VALID deferrable=false,false validated=false enforced=true inherited=false`,
				`app.hen Of Egg [egg] to app.egg: FOREIGN KEY (egg) REFERENCES app.egg(id) DEFERRABLE INITIALLY DEFERRED deferrable=true,true validated=true enforced=true inherited=false`,
				`app.part part_b_fkey [b] to app.egg: FOREIGN KEY (b) REFERENCES app.egg(id) deferrable=false,false validated=true enforced=true inherited=false`,
				`app.part_1 part_b_fkey [b] to app.egg: FOREIGN KEY (b) REFERENCES app.egg(id) deferrable=false,false validated=true enforced=true inherited=true`,
			}
			if major >= 18 {
				if _, err := conn.Exec(t.Context(), "ALTER TABLE app.hen ADD CONSTRAINT zz FOREIGN KEY (id) REFERENCES app.egg NOT ENFORCED"); err != nil {
					t.Fatal(err)
				}
				want = slices.Insert(want, 2, `app.hen zz [id] to app.egg: FOREIGN KEY (id) REFERENCES app.egg(id) NOT ENFORCED deferrable=false,false validated=false enforced=false inherited=false`)
			}
			keys, err := catalog.ForeignKeys(t.Context(), conn, oids(t, conn))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, keys, want, func(k catalog.Constraint) string {
				return fmt.Sprintf("%s %s %v to %s: %s deferrable=%t,%t validated=%t enforced=%t inherited=%t",
					k.Table, k.Constraint, k.Columns, k.Referenced, k.Definition, k.Deferrable, k.Deferred, k.Validated, k.Enforced, k.Inherited)
			})
		})
	}
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, rulesSQL)
			constraints, err := catalog.Constraints(t.Context(), conn, oids(t, conn))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, constraints, []string{
				"app.egg c big [id] CHECK ((id > 0)) NOT VALID false",
				"app.egg p egg_pkey [id] PRIMARY KEY (id) false",
				"app.hen p hen_pkey [id] PRIMARY KEY (id) false",
				"app.part u part_a_b_key [a b] UNIQUE (a, b) DEFERRABLE false",
				"app.part p part_pkey [b a] PRIMARY KEY (b, a) false",
				"app.part_1 u part_1_a_b_key [a b] UNIQUE (a, b) DEFERRABLE true",
				"app.part_1 p part_1_pkey [b a] PRIMARY KEY (b, a) true",
			}, func(c catalog.Constraint) string {
				return fmt.Sprintf("%s %c %s %v %s %t", c.Table, c.Type, c.Constraint, c.Columns, c.Definition, c.Inherited)
			})
		})
	}
}

func TestTriggersAndRules(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, rulesSQL)
			triggers, err := catalog.Triggers(t.Context(), conn, oids(t, conn))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, triggers, []string{
				"app.egg B b A true false",
				"app.part a O false false",
				"app.part late O false false",
				"app.part_1 a D false true",
				"app.part_1 late O false true",
			}, func(g catalog.Trigger) string {
				return fmt.Sprintf("%s %s %c %t %t", g.Table, g.Trigger, g.Enabled, g.Enabled.FiresInReplica(), g.Inherited)
			})
			rules, err := catalog.Rules(t.Context(), conn, oids(t, conn))
			if err != nil {
				t.Fatal(err)
			}
			if len(rules) != 1 || rules[0].Rule != "nope" || rules[0].Enabled != catalog.EnabledReplica ||
				!strings.Contains(rules[0].Definition, "DO INSTEAD NOTHING") {
				t.Errorf("rules: %+v", rules)
			}
		})
	}
}

func TestPublications(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, rulesSQL)
			names := []string{"roots", "leaves", "everything"}
			want := []string{
				"roots all=false root=true true,false,true,false app.egg() [id hen] false, app.part() [a b] false",
				"leaves all=false root=false true,true,true,true app.part_1() [a b] false",
				"everything all=true root=false true,true,true,true app.egg() [id hen] false, app.hen() [id egg] false, app.part_1() [a b] false",
			}
			if major >= 15 {
				names = append(names, "filtered")
				want = append(want, "filtered all=false root=false true,true,true,true app.egg((id > 5)) [id] true, app.hen() [id egg] false")
				if _, err := conn.Exec(t.Context(), "CREATE PUBLICATION filtered FOR TABLE app.egg (id) WHERE (id > 5), app.hen"); err != nil {
					t.Fatal(err)
				}
			}
			publications, err := catalog.Publications(t.Context(), conn, names)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, publications, want, func(p catalog.Publication) string {
				var tables []string
				for _, t := range p.Tables {
					tables = append(tables, fmt.Sprintf("%s(%s) %v %t", t.Name, t.RowFilter, t.Columns, t.ColumnList))
				}
				return fmt.Sprintf("%s all=%t root=%t %t,%t,%t,%t %s", p.Name, p.AllTables, p.ViaRoot,
					p.Insert, p.Update, p.Delete, p.Truncate, strings.Join(tables, ", "))
			})
			if _, err := catalog.Publications(t.Context(), conn, []string{"roots", "Roots"}); err == nil || !strings.Contains(err.Error(), `"Roots"`) {
				t.Errorf("a publication that does not exist: %v", err)
			}
		})
	}
}

func TestReadServer(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, rulesSQL)
			s, err := catalog.ReadServer(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			if s.Major() != major || s.WALLevel != "logical" || s.MaxSlots == 0 || s.InRecovery || !s.Superuser || s.Encoding != "UTF8" {
				t.Errorf("server: %+v", s)
			}
			role := fmt.Sprintf("few_rights_%d", major)
			for _, sql := range []string{
				"CREATE ROLE " + role,
				"SET ROLE " + role,
			} {
				if _, err := conn.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			s, err = catalog.ReadServer(t.Context(), conn)
			if err != nil || s.Role != role || s.Superuser || s.Replication || s.CreateInDatabase {
				t.Errorf("server as %s: %+v, %v", role, s, err)
			}
		})
	}
}

func compare[T any](t *testing.T, found []T, want []string, line func(T) string) {
	t.Helper()
	lines := make([]string, len(found))
	for i, f := range found {
		lines[i] = line(f)
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}
