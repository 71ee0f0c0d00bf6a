package rows

import (
	"strconv"
	"strings"

	"github.com/walferry/walferry/internal/sqltext"
)

// buckets is how many sums there are for each table.
const buckets = 4096

// settings shape what is not pinned for every connection, and leave the servers' other
// processors to others.
const settings = `SELECT pg_catalog.set_config('lc_monetary', 'C', false), pg_catalog.set_config('quote_all_identifiers', 'off', false),
	pg_catalog.set_config('max_parallel_workers_per_gather', '0', false)`

// form is how the rows of one table are turned into text and hashes, the same on both
// sides. hashtextextended gives the same on 13 to 18, which a test shows; md5 is refused
// where FIPS 140 holds.
type form struct {
	columns, key []string
	where        string
	// converted reports that the databases have different encodings.
	converted bool
}

// text makes an SQL expression of type text from one that is anything: of bytes that do
// not depend on the encoding, in an order that does not depend on a collation.
func (f *form) text(expression string) string {
	if f.converted {
		return `(pg_catalog.encode(pg_catalog.convert_to((` + expression + `)::pg_catalog.text, 'UTF8'), 'hex')) COLLATE "C"`
	}
	return `((` + expression + `)::pg_catalog.text) COLLATE "C"`
}

// record is the whole row as one text. The types' own output functions print the values:
// a cast to text would cut the blanks of character(n).
func (f *form) record() string {
	fields := make([]string, len(f.columns))
	for i, c := range f.columns {
		fields[i] = "t." + sqltext.Ident(c)
	}
	return f.text("ROW(" + strings.Join(fields, ", ") + ")")
}

// source is a leaf's rows, or a part of its pages, with an alias and the condition.
func (f *form) source(name string, pages *span) string {
	sql := " FROM ONLY " + name + " AS t"
	var conditions []string
	if f.where != "" {
		conditions = append(conditions, "("+f.where+")")
	}
	if pages != nil {
		if pages.from > 0 {
			conditions = append(conditions, "t.ctid >= '("+strconv.FormatInt(pages.from, 10)+",0)'::pg_catalog.tid")
		}
		if pages.to > 0 {
			conditions = append(conditions, "t.ctid < '("+strconv.FormatInt(pages.to, 10)+",0)'::pg_catalog.tid")
		}
	}
	if len(conditions) > 0 {
		sql += " WHERE " + strings.Join(conditions, " AND ")
	}
	return sql
}

// hashes adds h1 and h2 to the columns of a query that has r. OFFSET 0 keeps the server
// from printing a row twice.
func hashes(columns, from string) string {
	return "SELECT " + columns + "pg_catalog.hashtextextended(r, 1) AS h1, pg_catalog.hashtextextended(r, 2) AS h2 FROM (" +
		from + " OFFSET 0) AS printed OFFSET 0"
}

// sums is the query that adds up a part of a table.
func (f *form) sums(p *part) string {
	return "SELECT (h1 & " + strconv.Itoa(buckets-1) + ")::pg_catalog.int4, pg_catalog.count(*), " +
		"pg_catalog.sum(h1)::pg_catalog.text, pg_catalog.sum(h2)::pg_catalog.text FROM (" +
		hashes("", "SELECT "+f.record()+" AS r"+f.source(p.leaf.name, &p.span)) + ") AS hashed GROUP BY 1"
}

// differing is the query that returns the rows of the buckets $1: their hashes and key,
// ordered by that, or without a key by the hashes.
func (f *form) differing(leaves []leaf) string {
	var names, keys strings.Builder
	for i, c := range f.key {
		k := "k" + strconv.Itoa(i)
		keys.WriteString(f.text("t."+sqltext.Ident(c)) + " AS " + k + ", ")
		names.WriteString(k + ", ")
	}
	branches := make([]string, len(leaves))
	for i, l := range leaves {
		branches[i] = hashes(names.String(), "SELECT "+keys.String()+f.record()+" AS r"+f.source(l.name, nil))
	}
	ordered := strings.TrimSuffix(names.String(), ", ")
	order := ordered
	if ordered == "" {
		order = "h1, h2"
	}
	return "SELECT h1, h2, ARRAY[" + ordered + "]::pg_catalog.text[] FROM ((" + strings.Join(branches, ") UNION ALL (") +
		")) AS hashed WHERE (h1 & " + strconv.Itoa(buckets-1) + ")::pg_catalog.int4 = ANY ($1::pg_catalog.int4[]) ORDER BY " + order
}

// shown is how many characters of a value are shown.
const shown = 200

// values is the query that returns the values of the rows whose first hash is one of $1,
// one row for each pair of hashes.
func (f *form) values(leaves []leaf) string {
	fields := make([]string, len(f.columns))
	for i, c := range f.columns {
		fields[i] = "pg_catalog.left(t." + sqltext.Ident(c) + "::pg_catalog.text, " + strconv.Itoa(shown) + ")"
	}
	branches := make([]string, len(leaves))
	for i, l := range leaves {
		branches[i] = hashes("v, ", "SELECT ARRAY["+strings.Join(fields, ", ")+"]::pg_catalog.text[] AS v, "+f.record()+" AS r"+f.source(l.name, nil))
	}
	return "SELECT DISTINCT ON (h1, h2) h1, h2, v FROM ((" + strings.Join(branches, ") UNION ALL (") +
		")) AS hashed WHERE h1 = ANY ($1::pg_catalog.int8[])"
}

// fields is the query that returns, for rows whose keys are among keys, the key and a hash
// of each column. It names the keys' values with their types, so that an index finds them.
func (f *form) fields(r *relation, keys [][]*string) string {
	columns := make([]string, len(f.columns))
	for i, c := range f.columns {
		columns[i] = "pg_catalog.hashtextextended(" + f.text("ROW(t."+sqltext.Ident(c)+")") + ", 1)"
	}
	texts := make([]string, len(f.key))
	for i, c := range f.key {
		texts[i] = "t." + sqltext.Ident(c) + "::pg_catalog.text"
	}
	alternatives := make([]string, len(keys))
	for i, key := range keys {
		equal := make([]string, len(key))
		for j, value := range key {
			equal[j] = "t." + sqltext.Ident(f.key[j]) + " = " + sqltext.Literal(*value) + "::" + r.types[f.key[j]]
		}
		alternatives[i] = "(" + strings.Join(equal, " AND ") + ")"
	}
	branches := make([]string, len(r.leaves))
	for i, l := range r.leaves {
		branches[i] = "SELECT ARRAY[" + strings.Join(texts, ", ") + "]::pg_catalog.text[], ARRAY[" + strings.Join(columns, ", ") +
			"]::pg_catalog.int8[] FROM ONLY " + l.name + " AS t WHERE " + strings.Join(alternatives, " OR ")
	}
	return strings.Join(branches, " UNION ALL ")
}
