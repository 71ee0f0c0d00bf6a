package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sample is the clause that reads about three pages of a table, or all of a small one.
func (t *table) sample() string {
	return t.only + " TABLESAMPLE SYSTEM (least(100, 300.0 * 8192 / greatest(1, " + t.size + ")))"
}

// chosen is the condition for at most n rows chosen at random. In a partitioned
// table the same place of several partitions counts as one. What is recorded must name
// the rows by their values; it is false then when there is none.
func (s *session) chosen(ctx context.Context, t *table, n int) (condition string, ok bool, err error) {
	if s.turn != nil {
		return s.named(ctx, t, n)
	}
	from := t.sample()
	if n > 20 {
		from = t.only
	}
	return fmt.Sprintf("ctid = ANY (ARRAY(SELECT ctid FROM %s ORDER BY random() LIMIT %d))", from, n), true, nil
}

// named chooses rows by their key or, where there is none, by the hash of the whole row,
// which means all equal ones.
func (s *session) named(ctx context.Context, t *table, n int) (condition string, ok bool, err error) {
	var of []string
	if key := t.key(); key == nil {
		of = []string{"pg_catalog.md5((" + t.sql + ".*)::text)"}
	} else {
		for _, c := range key {
			of = append(of, names([]*column{c}))
		}
	}
	texts := make([]string, len(of))
	for i := range of {
		texts[i] = of[i] + "::text"
	}
	sql := fmt.Sprintf("SELECT ARRAY[%s] FROM %s ORDER BY random() LIMIT %d", strings.Join(texts, ", "), t.only, n)
	rows, err := s.texts(ctx, sql)
	if err != nil || len(rows) == 0 {
		return "", false, err
	}
	tuples := make([]string, len(rows))
	for i, r := range rows {
		literals := make([]string, len(r))
		for j := range r {
			literals[j] = literal(r[j])
		}
		tuples[i] = "(" + strings.Join(literals, ", ") + ")"
	}
	return "(" + strings.Join(of, ", ") + ") IN (" + strings.Join(tuples, ", ") + ")", true, nil
}

// fewOr returns the number of rows for a statement that was asked for rows.
func (s *session) fewOr(rows int) int {
	if rows > 1 {
		return rows
	}
	if s.chance(3) {
		return 2 + s.r.IntN(10)
	}
	return 1
}

// existing reads the columns' values of up to n random rows in which none is NULL.
func (s *session) existing(ctx context.Context, t *table, numbers []int16, n int) ([][]string, error) {
	texts, given := make([]string, 0, len(numbers)), make([]string, 0, len(numbers))
	for _, number := range numbers {
		c := t.column(number)
		if c == nil {
			return nil, nil
		}
		name := pgx.Identifier{c.Name}.Sanitize()
		texts, given = append(texts, name+"::text"), append(given, name+" IS NOT NULL")
	}
	sql := fmt.Sprintf("SELECT ARRAY[%s] FROM %s WHERE %s ORDER BY random() LIMIT %d",
		strings.Join(texts, ", "), t.sample(), strings.Join(given, " AND "), n)
	return s.texts(ctx, sql)
}

// texts reads rows of one array each.
func (s *session) texts(ctx context.Context, sql string) ([][]string, error) {
	rows, err := s.conn.Query(ctx, sql)
	if err != nil {
		return nil, statementError(err, sql)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
	if err != nil {
		return nil, statementError(err, sql)
	}
	return all, nil
}

// row holds values by the columns' numbers; a nil pointer is NULL, and a column
// that is not there keeps its default.
type row map[int16]*string

// parents gives each row the key of a parent for every foreign key, and the value
// of another row for columns that choose the partition. It is false when a parent
// is required and there is none.
func (s *session) parents(ctx context.Context, t *table, rows []row) (bool, error) {
	for _, f := range t.ForeignKeys {
		parent := s.catalog.byOID[f.Parent]
		if parent == nil {
			continue
		}
		required := slices.ContainsFunc(f.Columns, func(number int16) bool { return t.column(number).NotNull })
		keys, err := s.existing(ctx, parent, f.ParentColumns, 20)
		if err != nil {
			return false, err
		}
		if required && len(keys) == 0 {
			return false, nil
		}
		for _, r := range rows {
			s.refer(r, f.Columns, keys, !required && s.chance(5))
		}
	}
	if len(t.PartitionKey) == 0 || slices.Contains(t.PartitionKey, 0) {
		return true, nil
	}
	routes, err := s.existing(ctx, t, t.PartitionKey, 20)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if len(routes) > 0 && !s.chance(6) {
			s.refer(r, t.PartitionKey, routes, false)
		}
	}
	return true, nil
}

// refer sets the columns to one of the keys, or to NULL.
func (s *session) refer(r row, columns []int16, keys [][]string, null bool) {
	key := pick(s.r, keys)
	for i, number := range columns {
		r[number] = nil
		if key != nil && !null {
			r[number] = &key[i]
		}
	}
}

// newRows makes n rows for an insert. ok is false for a table whose columns
// cannot be filled.
func (s *session) newRows(ctx context.Context, t *table, n int) (rows []row, ok bool, err error) {
	given := s.givenColumns(t)
	rows = make([]row, n)
	for i := range rows {
		rows[i] = row{}
		for _, c := range given {
			if !c.NotNull && s.chance(7) {
				rows[i][c.Number] = nil
				continue
			}
			text, known := s.catalog.types.value(s.r, c.Type, c.Typmod, s.wishFor(c, n))
			switch {
			case known:
				rows[i][c.Number] = &text
			case c.NotNull && !c.Default:
				return nil, false, nil
			}
		}
	}
	ok, err = s.parents(ctx, t, rows)
	return rows, ok, err
}

// givenColumns are the same for all rows of one statement: those with a default
// mostly keep it.
func (s *session) givenColumns(t *table) []*column {
	var given []*column
	for _, c := range t.Columns {
		hasDefault := c.Default || c.Identity == "d"
		odds := 3
		if c.unique {
			odds = 12
		}
		keeps := hasDefault && !s.chance(odds)
		if c.writable() && !c.foreign && !keeps {
			given = append(given, c)
		}
	}
	return given
}

func (s *session) wishFor(c *column, rows int) wish {
	switch {
	case c.unique && !s.chance(15):
		return freshValue
	case !c.unique && !c.routes && !c.Indexed && rows < 20 && s.chance(12):
		return largeValue
	default:
		return anyValue
	}
}

// columnsOf returns the columns that any of the rows gives, in the table's order.
func columnsOf(t *table, rows []row) []*column {
	var given []*column
	for _, c := range t.Columns {
		if slices.ContainsFunc(rows, func(r row) bool { _, ok := r[c.Number]; return ok }) {
			given = append(given, c)
		}
	}
	return given
}

// names quotes the columns' names, as a list.
func names(columns []*column) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = pgx.Identifier{c.Name}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}

// literal quotes a value as SQL; standard_conforming_strings is on.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func literalOrNull(text *string) string {
	if text == nil {
		return "NULL"
	}
	return literal(*text)
}
