package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

func (s *session) insert(ctx context.Context, t *table, n int) (bool, error) {
	if len(t.Columns) == 0 {
		return true, s.exec(ctx, &s.g.n.inserts, "INSERT INTO "+t.sql+" DEFAULT VALUES")
	}
	rows, ok, err := s.newRows(ctx, t, s.fewOr(n))
	if !ok || err != nil {
		return false, err
	}
	columns := columnsOf(t, rows)
	if len(columns) == 0 {
		return true, s.exec(ctx, &s.g.n.inserts, "INSERT INTO "+t.sql+" DEFAULT VALUES")
	}
	sql := fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", t.sql, names(columns), valuesOf(columns, rows))
	if !t.deferrable() && s.chance(3) {
		sql += " ON CONFLICT DO NOTHING"
	}
	return true, s.exec(ctx, &s.g.n.inserts, sql)
}

func valuesOf(columns []*column, rows []row) string {
	tuples := make([]string, len(rows))
	for i, r := range rows {
		values := make([]string, len(columns))
		for j, c := range columns {
			values[j] = "DEFAULT"
			if text, ok := r[c.Number]; ok {
				values[j] = literalOrNull(text)
			}
		}
		tuples[i] = "(" + strings.Join(values, ", ") + ")"
	}
	return strings.Join(tuples, ", ")
}

// copyEscapes writes a value in COPY's text format.
var copyEscapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// copyIn inserts by COPY, which the server logs as inserts of many rows at once.
func (s *session) copyIn(ctx context.Context, t *table, n int) (bool, error) {
	rows, ok, err := s.newRows(ctx, t, max(n, 2+s.r.IntN(20)))
	if !ok || err != nil {
		return false, err
	}
	columns := columnsOf(t, rows)
	if len(columns) == 0 {
		return false, nil
	}
	var text strings.Builder
	for _, r := range rows {
		for i, c := range columns {
			if i > 0 {
				text.WriteByte('\t')
			}
			if value := r[c.Number]; value != nil {
				text.WriteString(copyEscapes.Replace(*value))
			} else {
				text.WriteString(`\N`)
			}
		}
		text.WriteByte('\n')
	}
	sql := fmt.Sprintf("COPY %s (%s) FROM STDIN", t.sql, names(columns))
	if s.turn != nil {
		if err := s.turn(Step{Session: s.number, SQL: sql, Data: text.String()}); err != nil {
			return false, err
		}
	}
	tag, err := s.conn.PgConn().CopyFrom(ctx, strings.NewReader(text.String()), sql)
	if err != nil {
		return false, statementError(err, sql)
	}
	s.g.n.copies.Add(1)
	s.g.n.rows.Add(tag.RowsAffected())
	return true, nil
}

// upsert inserts a row with a key that exists, and updates that instead.
func (s *session) upsert(ctx context.Context, t *table, _ int) (bool, error) {
	i := slices.IndexFunc(t.Unique, func(u uniqueIndex) bool { return u.Primary })
	if i < 0 || t.deferrable() || !t.Identity {
		return false, nil
	}
	var key, rest []*column
	for _, c := range t.Columns {
		switch {
		case slices.Contains(t.Unique[i].Columns, c.Number):
			key = append(key, c)
		case c.writable() && !c.unique && !c.foreign:
			rest = append(rest, c)
		}
	}
	if len(rest) == 0 || slices.ContainsFunc(key, func(c *column) bool { return !c.writable() }) {
		return false, nil
	}
	rows, ok, err := s.newRows(ctx, t, 1)
	if !ok || err != nil {
		return false, err
	}
	keys, err := s.existing(ctx, t, t.Unique[i].Columns, 1)
	if err != nil || len(keys) == 0 {
		return false, err
	}
	s.refer(rows[0], t.Unique[i].Columns, keys, false)
	columns := columnsOf(t, rows)
	changed := pick(s.r, rest)
	name := names([]*column{changed})
	return true, s.exec(ctx, &s.g.n.upserts, fmt.Sprintf(
		"INSERT INTO %s (%s) VALUES %s ON CONFLICT (%s) DO UPDATE SET %s = EXCLUDED.%s",
		t.sql, names(columns), valuesOf(columns, rows), names(key), name, name))
}
