package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Schema is a random schema: the statements that make it, each of which may be left out
// with what needs it, and what is published of it.
type Schema struct {
	Statements []string
	// Tables are what the statements make, without partitions.
	Tables []SchemaTable
}

// SchemaTable is a table, and the part of it that the user's publications publish.
type SchemaTable struct {
	Name    string   // quoted, with the schema
	Left    bool     // out of the publications
	LeftOut []string // columns, quoted
	Where   string   // empty: all rows
}

// UserPublications are those that a schema has that was drawn with publications.
var UserPublications = []string{"p", "p_insert"}

// preamble is what tables of random schemas use.
var preamble = []string{
	`CREATE SCHEMA "Odd ""One"`,
	`CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'very happy', 'it''s "fine"')`,
	`CREATE TYPE public.pair AS (a int, "B b" text)`,
	`CREATE TYPE public.float_range AS RANGE (subtype = float8)`,
	`CREATE DOMAIN public.positive AS int CHECK (VALUE > 0)`,
	`CREATE DOMAIN public.code AS varchar(30)`,
	`CREATE EXTENSION citext SCHEMA public`,
	`CREATE TABLE public.audit (id bigserial PRIMARY KEY, what text, row jsonb)`,
	`CREATE FUNCTION public.remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO public.audit (what, row) VALUES (TG_OP, CASE WHEN TG_OP = 'DELETE' THEN pg_catalog.to_jsonb(OLD) ELSE pg_catalog.to_jsonb(NEW) END);
		RETURN NULL; END $$`,
	`CREATE FUNCTION public.count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := coalesce(NEW.touched, 0) + 1; RETURN NEW; END $$`,
	`CREATE FUNCTION public.set_mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.mark := 'marked'; RETURN NEW; END $$`,
}

// keyTypes have an order, and many values; newTypes are there from 14 on; narrowTypes never
// go to TOAST.
var (
	keyTypes = []string{
		"int", "bigint", "text", "varchar(30)", "uuid", "numeric", "timestamptz", "char(12)", "bytea", "float8",
		"inet", "timestamp", "interval", "public.code", "public.positive", "oid", "bit(40)", "int", "bigint", "text",
		"public.citext",
	}
	otherTypes = []string{
		"json", "jsonb", "bool", "money", "point", "cidr", "macaddr", "tsvector", "varbit(12)", "text[]", "int[]",
		"numeric[]", "public.mood", "public.mood[]", "public.pair", "public.pair[]", "int4range", "tstzrange",
		"numrange", "public.float_range", "float4", "time", "timetz", "pg_lsn", "date", "smallint", "numeric(12,2)", "name",
		"text", "bytea", "text", "jsonb",
	}
	newTypes    = []string{"int4multirange", "nummultirange", "tstzmultirange", "public.float_multirange"}
	narrowTypes = []string{"int", "bigint", "bool", "uuid", "date", "char(12)", "varchar(30)", "public.mood", "float8", "interval", "inet"}
)

// drawer makes one random schema.
type drawer struct {
	r      *rand.Rand
	major  int
	schema Schema
	// parents are tables with a key of one column.
	parents []drawnTable
	// plain tables can be inherited from.
	plain []drawnTable
	// published by the user's publication, if there is one.
	publish bool
}

// drawnColumn is a column with its quoted name.
type drawnColumn struct {
	name, kind string
	notNull    bool
}

// drawnTable is a table while it is drawn.
type drawnTable struct {
	name    string // quoted, with the schema
	number  int
	columns []drawnColumn
	// from is the table that it inherits the first columns from, if there is one.
	from      string
	inherited int
	// key are the columns of the replica identity; nil: the whole row, or nothing.
	key []drawnColumn
	// narrow tables have no value that goes to TOAST.
	narrow, partitioned, full, generated bool
}

// RandomSchema draws a schema that a server of the major version can have. With publish,
// it has a publication of the user's, which may leave columns and rows out.
func RandomSchema(seed uint64, major, tables int, publish bool) Schema {
	d := &drawer{r: rand.New(rand.NewPCG(seed, 8)), major: major, publish: publish}
	d.schema.Statements = slices.Clone(preamble)
	if publish {
		d.add("CREATE PUBLICATION p WITH (publish_via_partition_root = %t)", d.chance(2))
		d.add("CREATE PUBLICATION p_insert WITH (publish = 'insert, truncate')")
	}
	for i := range tables {
		d.table(i)
	}
	d.schema.Tables = append(d.schema.Tables, SchemaTable{Name: `"public"."audit"`})
	if publish {
		d.add("ALTER PUBLICATION p ADD TABLE public.audit")
	}
	return d.schema
}

func (d *drawer) add(format string, args ...any) {
	d.schema.Statements = append(d.schema.Statements, fmt.Sprintf(format, args...))
}

func (d *drawer) chance(n int) bool { return d.r.IntN(n) == 0 }

func (d *drawer) table(number int) {
	t := &drawnTable{number: number, narrow: d.publish && d.chance(2), name: quote(
		pick(d.r, []string{"public", "public", `Odd "One`}),
		fmt.Sprintf(pick(d.r, []string{"t%d", "t%d", "Order %d's", `tab"le%d`, "größe %d", "%%s%d", `back\slash%d`}), number))}
	if len(d.plain) > 0 && d.chance(5) {
		d.inherit(t)
	} else {
		d.columns(t)
	}
	d.create(t)
	if !t.partitioned {
		d.indexes(t)
		d.identity(t)
	}
	d.storage(t)
	d.references(t)
	d.triggers(t)
	if len(t.key) == 1 && t.key[0].name == `"k"` {
		d.parents = append(d.parents, *t)
	}
	if !t.partitioned {
		d.plain = append(d.plain, *t)
	}
	made := SchemaTable{Name: t.name}
	if d.publish {
		d.published(t, &made)
	}
	d.schema.Tables = append(d.schema.Tables, made)
}

// columns draws a key and what is beside it.
func (d *drawer) columns(t *drawnTable) {
	kind := pick(d.r, keyTypes)
	if t.narrow {
		kind = pick(d.r, []string{"int", "bigint", "uuid", "varchar(30)"})
	}
	t.columns = append(t.columns, drawnColumn{name: `"k"`, kind: kind, notNull: true})
	d.others(t, 2+d.r.IntN(8), []string{"c%d", "c%d", "c%d", "C c%d", `c"%d`, "%%d%d", "user%d", "表%d"})
	t.partitioned = d.chance(4) && kind != "bit(40)" // which has no hash
}

// others adds columns of any type that the table may have.
func (d *drawer) others(t *drawnTable, n int, names []string) {
	kinds := slices.Concat(keyTypes, otherTypes)
	switch {
	case t.narrow:
		kinds = narrowTypes
	case d.major >= 14:
		kinds = append(kinds, newTypes...)
	}
	for i := range n {
		t.columns = append(t.columns, drawnColumn{
			name: quote(fmt.Sprintf(pick(d.r, names), i)),
			kind: pick(d.r, kinds), notNull: d.chance(6),
		})
	}
}

// inherit draws a table that has the columns of one before it, and perhaps more. Keys,
// indexes, identity and triggers are its own.
func (d *drawer) inherit(t *drawnTable) {
	parent := pick(d.r, d.plain)
	t.from, t.inherited, t.columns = parent.name, len(parent.columns), slices.Clone(parent.columns)
	t.narrow, t.generated = parent.narrow, parent.generated
	d.others(t, d.r.IntN(3), []string{fmt.Sprintf("own%d_%%d", t.number)})
}

// create makes the table, with holes of dropped columns and columns that came later.
func (d *drawer) create(t *drawnTable) {
	columns, dropped := make([]string, 0, len(t.columns)), 0
	for i, c := range t.columns[t.inherited:] {
		if d.chance(5) {
			columns = append(columns, fmt.Sprintf("gone%d_%d %s", t.number, dropped, pick(d.r, []string{"int", "text NOT NULL DEFAULT 'gone'"})))
			dropped++
		}
		text := c.name + " " + c.kind
		if c.notNull {
			text += " NOT NULL"
		}
		if i == 0 && t.from == "" && !t.partitioned && (c.kind == "int" || c.kind == "bigint") && d.chance(3) {
			text += " GENERATED " + pick(d.r, []string{"ALWAYS", "BY DEFAULT"}) + " AS IDENTITY"
		}
		columns = append(columns, text)
	}
	if t.from == "" {
		columns = append(columns, d.common(t)...)
	}
	switch {
	case t.partitioned:
		d.partitions(t, columns)
	case t.from != "":
		d.add("CREATE TABLE %s (%s) INHERITS (%s)", t.name, strings.Join(columns, ", "), t.from)
	default:
		d.add("CREATE TABLE %s (%s)", t.name, strings.Join(columns, ", "))
	}
	for i := range dropped {
		d.add("ALTER TABLE %s DROP gone%d_%d", t.name, t.number, i)
	}
	if d.chance(4) && !t.partitioned && t.from == "" {
		d.add("ALTER TABLE %s ADD later int DEFAULT 7", t.name)
		t.columns = append(t.columns, drawnColumn{name: "later", kind: "int"})
	}
}

// common are the columns that any table has, and one that some are made with.
func (d *drawer) common(t *drawnTable) []string {
	var columns []string
	if d.chance(4) {
		t.generated = true
		columns = append(columns, d.generated(t))
	}
	mark := "text"
	if t.narrow {
		mark = "varchar(30)"
	}
	t.columns = append(t.columns, drawnColumn{name: "touched", kind: "int"}, drawnColumn{name: "mark", kind: mark})
	return append(columns, "touched int", "mark "+mark)
}

// generated is a column that is made from one that can be made to text.
func (d *drawer) generated(t *drawnTable) string {
	for _, c := range t.columns {
		switch c.kind {
		case "int", "bigint":
			return fmt.Sprintf("made numeric GENERATED ALWAYS AS (%s::numeric * 2) STORED", c.name)
		case "text", "varchar(30)":
			return fmt.Sprintf("made text GENERATED ALWAYS AS (upper(%s)) STORED", c.name)
		}
	}
	return "made text GENERATED ALWAYS AS ('same') STORED"
}

// partitions makes a partitioned table with its partitions, one of which may be
// partitioned again and have its columns in another order.
func (d *drawer) partitions(t *drawnTable, columns []string) {
	t.key = []drawnColumn{t.columns[0]}
	name := func(i int) string {
		return strings.TrimSuffix(t.name, `"`) + fmt.Sprintf(`_p%d"`, i)
	}
	create := func(by string) {
		d.add("CREATE TABLE %s (%s) PARTITION BY %s", t.name, strings.Join(columns, ", "), by)
	}
	switch d.r.IntN(3) {
	case 0:
		create(`HASH ("k")`)
		for i := range 3 {
			d.add("CREATE TABLE %s PARTITION OF %s FOR VALUES WITH (MODULUS 3, REMAINDER %d)", name(i), t.name, i)
		}
	case 1:
		columns = append(columns, "part int NOT NULL")
		t.columns = append(t.columns, drawnColumn{name: "part", kind: "int", notNull: true})
		t.key = append(t.key, t.columns[len(t.columns)-1])
		create("RANGE (part)")
		d.add("CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (MINVALUE) TO (100)", name(0), t.name)
		// With its columns in another order, and a hole.
		backwards := slices.Clone(columns)
		slices.Reverse(backwards)
		d.add("CREATE TABLE %s (gap int, %s)", name(1), strings.Join(backwards, ", "))
		d.add("ALTER TABLE %s DROP gap", name(1))
		d.add("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (100) TO (300)", t.name, name(1))
		d.add("CREATE TABLE %s PARTITION OF %s DEFAULT", name(2), t.name)
	default:
		columns = append(columns, "region public.mood NOT NULL")
		t.columns = append(t.columns, drawnColumn{name: "region", kind: "public.mood", notNull: true})
		t.key = append([]drawnColumn{t.columns[len(t.columns)-1]}, t.key...)
		create("LIST (region)")
		d.add("CREATE TABLE %s PARTITION OF %s FOR VALUES IN ('sad')", name(0), t.name)
		d.add(`CREATE TABLE %s PARTITION OF %s FOR VALUES IN ('ok', 'very happy') PARTITION BY HASH ("k")`, name(1), t.name)
		d.add("CREATE TABLE %s PARTITION OF %s FOR VALUES WITH (MODULUS 2, REMAINDER 0)", name(3), name(1))
		d.add("CREATE TABLE %s PARTITION OF %s FOR VALUES WITH (MODULUS 2, REMAINDER 1)", name(4), name(1))
		d.add("CREATE TABLE %s PARTITION OF %s DEFAULT", name(2), t.name)
	}
	d.add("ALTER TABLE %s ADD PRIMARY KEY (%s)", t.name, list(t.key))
}

func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

func list(columns []drawnColumn) string {
	all := make([]string, len(columns))
	for i := range columns {
		all[i] = columns[i].name
	}
	return strings.Join(all, ", ")
}
