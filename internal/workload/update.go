package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// update changes up to three columns of a few rows that belong to no unique
// index. Values in TOAST that are not among them stay where they are.
func (s *session) update(ctx context.Context, t *table, n int) (bool, error) {
	if !t.Identity {
		return false, nil
	}
	n = s.fewOr(n)
	parent := []row{{}}
	if ok, err := s.parents(ctx, t, parent); !ok || err != nil {
		return false, err
	}
	var set []string
	for _, i := range s.r.Perm(len(t.Columns)) {
		c := t.Columns[i]
		if len(set) > s.r.IntN(3) || !c.writable() || c.unique || c.routes {
			continue
		}
		value, ok := s.newValue(c, parent[0], n)
		if ok {
			set = append(set, names([]*column{c})+" = "+value)
		}
	}
	if len(set) == 0 {
		return false, nil
	}
	rows, ok, err := s.chosen(ctx, t, n)
	if !ok || err != nil {
		return false, err
	}
	return true, s.exec(ctx, &s.g.n.updates,
		fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.only, strings.Join(set, ", "), rows))
}

// newValue returns the SQL of a value for a column outside of unique indexes.
func (s *session) newValue(c *column, parent row, rows int) (string, bool) {
	switch {
	case s.chance(20):
		return names([]*column{c}), true // the row changes, its values do not
	case c.foreign:
		return literalOrNull(parent[c.Number]), true
	case !c.NotNull && s.chance(8):
		return "NULL", true
	}
	text, ok := s.catalog.types.value(s.r, c.Type, c.Typmod, s.wishFor(c, rows))
	return literal(text), ok
}

// updateKey gives one row another key, another unique value, or another partition.
func (s *session) updateKey(ctx context.Context, t *table, _ int) (bool, error) {
	var candidates []*column
	for _, c := range t.Columns {
		if c.writable() && (c.unique || c.routes) {
			candidates = append(candidates, c)
		}
	}
	if !t.Identity || len(candidates) == 0 {
		return false, nil
	}
	parent := []row{{}}
	if ok, err := s.parents(ctx, t, parent); !ok || err != nil {
		return false, err
	}
	c := pick(s.r, candidates)
	value, given := parent[0][c.Number]
	if !given || value == nil {
		text, ok := s.catalog.types.value(s.r, c.Type, c.Typmod, freshValue)
		if !ok {
			return false, nil
		}
		value = &text
	}
	sql := literal(*value)
	if s.catalog.types[c.Type].Name == "citext" && s.chance(2) {
		sql = "pg_catalog.upper(" + names([]*column{c}) + "::text)" // the same key in other bytes
	}
	rows, ok, err := s.chosen(ctx, t, 1)
	if !ok || err != nil {
		return false, err
	}
	return true, s.exec(ctx, &s.g.n.keyUpdates,
		fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s", t.only, names([]*column{c}), sql, rows))
}

// swap exchanges a unique value between two rows: in one statement where the
// constraint is checked late, else by way of a third value.
func (s *session) swap(ctx context.Context, t *table, _ int) (bool, error) {
	var candidates []uniqueIndex
	for _, u := range t.Unique {
		if len(u.Columns) != 1 || u.Columns[0] == 0 {
			continue
		}
		if c := t.column(u.Columns[0]); c != nil && c.writable() && !c.foreign {
			candidates = append(candidates, u)
		}
	}
	if !t.Identity || len(candidates) == 0 {
		return false, nil
	}
	u := pick(s.r, candidates)
	values, err := s.existing(ctx, t, u.Columns, 2)
	if err != nil || len(values) < 2 {
		return false, err
	}
	c := t.column(u.Columns[0])
	name, a, b := names([]*column{c}), literal(values[0][0]), literal(values[1][0])
	if u.Deferrable {
		return true, s.exec(ctx, &s.g.n.swaps, fmt.Sprintf(
			"UPDATE %[1]s SET %[2]s = (CASE WHEN %[2]s = %[3]s THEN %[4]s ELSE %[3]s END)::%[5]s WHERE %[2]s IN (%[3]s, %[4]s)",
			t.only, name, a, b, c.TypeName))
	}
	text, ok := s.catalog.types.value(s.r, c.Type, c.Typmod, freshValue)
	if !ok {
		return false, nil
	}
	for _, move := range [][2]string{{a, literal(text)}, {b, a}, {literal(text), b}} {
		err := s.exec(ctx, nil, fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s = %s", t.only, name, move[1], name, move[0]))
		if err != nil {
			return false, err
		}
	}
	s.g.n.swaps.Add(1)
	return true, nil
}

// move deletes rows and inserts them again with the same key.
func (s *session) move(ctx context.Context, t *table, n int) (bool, error) {
	columns := slices.DeleteFunc(slices.Clone(t.Columns), func(c *column) bool { return c.Generated != "" })
	if !t.Identity || len(columns) == 0 {
		return false, nil
	}
	rows, ok, err := s.chosen(ctx, t, s.fewOr(n))
	if !ok || err != nil {
		return false, err
	}
	return true, s.exec(ctx, &s.g.n.moves, fmt.Sprintf(
		"WITH moved AS (DELETE FROM %s WHERE %s RETURNING *) INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %[4]s FROM moved",
		t.only, rows, t.sql, names(columns)))
}
