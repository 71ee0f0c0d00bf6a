package workload

import (
	"slices"
	"strings"
)

// indexable returns the columns that a unique index can have, after the first.
func (t *drawnTable) indexable() []drawnColumn {
	var all []drawnColumn
	for _, c := range t.columns[1:] {
		if slices.Contains(keyTypes, c.kind) {
			all = append(all, c)
		}
	}
	return all
}

// indexes adds up to three indexes beside the key, most of them unique.
func (d *drawer) indexes(t *drawnTable) {
	for range d.r.IntN(4) {
		of := t.indexable()
		if len(of) == 0 {
			return
		}
		c := pick(d.r, of)
		switch n := d.r.IntN(8); {
		case n < 2:
			d.add("CREATE UNIQUE INDEX ON %s (%s)", t.name, c.name)
		case n == 2:
			d.add("CREATE UNIQUE INDEX ON %s (%s) WHERE %s IS NOT NULL AND touched IS NULL", t.name, c.name, c.name)
		case n == 3 && (c.kind == "text" || c.kind == "varchar(30)"):
			d.add("CREATE UNIQUE INDEX ON %s (lower(%s))", t.name, c.name)
		case n == 3 && c.kind == "int":
			d.add("CREATE UNIQUE INDEX ON %s ((%s %% 100000))", t.name, c.name)
		case n == 4 && d.major >= 15 && !d.publish:
			d.add("CREATE UNIQUE INDEX ON %s (%s) NULLS NOT DISTINCT", t.name, c.name)
		case n == 5:
			d.add("ALTER TABLE %s ADD UNIQUE (%s) DEFERRABLE INITIALLY %s", t.name, c.name, pick(d.r, []string{"IMMEDIATE", "DEFERRED"}))
		case n == 6:
			d.add("CREATE UNIQUE INDEX ON %s (%s, touched)", t.name, c.name)
		default:
			d.add("CREATE INDEX ON %s (%s)", t.name, c.name)
		}
	}
	for _, c := range t.columns {
		if strings.HasSuffix(c.kind, "range") && d.chance(2) {
			d.add("ALTER TABLE %s ADD EXCLUDE USING gist (%s WITH &&)", t.name, c.name)
		}
	}
}

// identity gives the table its replica identity, of one kind or the other.
func (d *drawer) identity(t *drawnTable) {
	k := t.columns[0]
	switch n := d.r.IntN(10); {
	case n < 4:
		t.key = []drawnColumn{k}
		d.add("ALTER TABLE %s ADD PRIMARY KEY (%s)", t.name, k.name)
	case n == 4: // of several columns, in another order than the table's
		t.key = []drawnColumn{k}
		for _, c := range t.indexable() {
			if len(t.key) < 3 {
				t.key = append([]drawnColumn{c}, t.key...)
			}
		}
		d.add("ALTER TABLE %s ADD PRIMARY KEY (%s)", t.name, list(t.key))
	case n == 5:
		t.key = []drawnColumn{k}
		d.add("CREATE UNIQUE INDEX identity%d ON %s (%s)", t.number, t.name, k.name)
		d.add("ALTER TABLE %s REPLICA IDENTITY USING INDEX identity%d", t.name, t.number)
	case n == 6:
		t.key = []drawnColumn{k}
		d.add("ALTER TABLE %s ADD PRIMARY KEY (%s) INCLUDE (touched)", t.name, k.name)
	case n == 7: // the key does not identify, because it is checked late
		t.full = true
		d.add("ALTER TABLE %s ADD PRIMARY KEY (%s) DEFERRABLE", t.name, k.name)
		d.add("ALTER TABLE %s REPLICA IDENTITY FULL", t.name)
	case n == 8:
		t.full = true
		d.add("ALTER TABLE %s REPLICA IDENTITY FULL", t.name)
		if d.chance(2) {
			d.add("ALTER TABLE %s ADD PRIMARY KEY (%s)", t.name, k.name)
		}
	default: // rows are inserted only
		if d.chance(2) {
			d.add("ALTER TABLE %s REPLICA IDENTITY NOTHING", t.name)
		}
	}
}

// identified says that UPDATE and DELETE of the table are published.
func (d *drawer) identified(t *drawnTable) bool {
	return t.key != nil || t.full && (!t.generated || d.major < 18)
}

// storage keeps values out of line, uncompressed: an UPDATE then leaves them where they are.
func (d *drawer) storage(t *drawnTable) {
	for _, c := range t.columns {
		if (c.kind == "text" || c.kind == "bytea" || c.kind == "jsonb") && d.chance(2) {
			d.add("ALTER TABLE %s ALTER %s SET STORAGE EXTERNAL", t.name, c.name)
		}
	}
}

// references ties the table to one before it, or to itself; where a part is published,
// parents may not be there.
func (d *drawer) references(t *drawnTable) {
	has := slices.ContainsFunc(t.columns, func(c drawnColumn) bool { return c.name == "ref" }) // by inheritance
	if d.publish || len(d.parents) == 0 || has || !d.chance(3) {
		return
	}
	parent := pick(d.r, d.parents)
	if len(t.key) == 1 && t.key[0].name == `"k"` && d.chance(4) {
		parent = *t
	}
	d.add("ALTER TABLE %s ADD ref %s", t.name, parent.key[0].kind)
	t.columns = append(t.columns, drawnColumn{name: "ref", kind: parent.key[0].kind})
	actions := pick(d.r, []string{"", "ON DELETE CASCADE", "ON DELETE SET NULL ON UPDATE CASCADE", "DEFERRABLE INITIALLY DEFERRED"})
	if strings.HasPrefix(actions, "ON") && !d.identified(t) {
		actions = "" // what it does to the rows would not be published
	}
	d.add("ALTER TABLE %s ADD FOREIGN KEY (ref) REFERENCES %s (\"k\") %s", t.name, parent.name, actions)
}

// triggers change rows and other tables. On the target only those may fire that are said
// to, and what they do to a row a second time makes no difference.
func (d *drawer) triggers(t *drawnTable) {
	if d.chance(4) {
		d.add("CREATE TRIGGER up BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION public.count_up()", t.name)
	}
	if d.chance(4) {
		d.add("CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION public.remember()", t.name)
	}
	if d.chance(6) && !t.partitioned {
		d.add("CREATE TRIGGER mark BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION public.set_mark()", t.name)
		d.add("ALTER TABLE %s ENABLE ALWAYS TRIGGER mark", t.name)
	}
}

// published draws what is published of the table, and publishes it. Filters are of the
// key, as UPDATE and DELETE need it, and of tables from which no UPDATE can bring a row in
// whose value in TOAST the stream does not have.
func (d *drawer) published(t *drawnTable, made *SchemaTable) {
	if made.Left = d.chance(6); made.Left {
		return
	}
	publication, part := "p", ""
	if !d.identified(t) {
		publication = "p_insert"
	}
	choosy := d.major >= 15 && t.narrow && !t.partitioned && t.key != nil
	if choosy && d.chance(2) {
		var kept []drawnColumn
		for _, c := range t.columns {
			if slices.Contains(t.key, c) || c.notNull || d.chance(2) {
				kept = append(kept, c)
			} else {
				made.LeftOut = append(made.LeftOut, c.name)
			}
		}
		part = " (" + list(kept) + ")"
	}
	if k := t.columns[0]; choosy && slices.Contains(t.key, k) && d.chance(2) {
		switch k.kind {
		case "int", "bigint":
			made.Where = k.name + " % 3 <> 0"
		case "uuid":
			made.Where = k.name + " < '90000000-0000-0000-0000-000000000000'"
		default:
			made.Where = k.name + " < '9'"
		}
		part += " WHERE (" + made.Where + ")"
	}
	d.add("ALTER PUBLICATION %s ADD TABLE %s%s", publication, t.name, part)
}
