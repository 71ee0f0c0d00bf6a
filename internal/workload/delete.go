package workload

import (
	"context"
	"fmt"
)

func (s *session) delete(ctx context.Context, t *table, n int) (bool, error) {
	if !t.Identity {
		return false, nil
	}
	// Inserts are more frequent, but a large transaction must not empty a table.
	rows, ok, err := s.chosen(ctx, t, min(s.fewOr(n), 40))
	if !ok || err != nil {
		return false, err
	}
	return true, s.exec(ctx, &s.g.n.deletes, fmt.Sprintf("DELETE FROM %s WHERE %s", t.only, rows))
}

// truncate empties one table, a table and those that refer to it, or two tables.
func (s *session) truncate(ctx context.Context, t *table, _ int) (bool, error) {
	sql := "TRUNCATE " + t.sql
	other := pick(s.r, s.catalog.tables)
	switch {
	case t.Referenced:
		sql += " CASCADE"
	case other != t && !other.Referenced && s.chance(2):
		sql += ", " + other.sql + " RESTART IDENTITY"
	case !t.Partitioned && s.chance(2):
		sql = "TRUNCATE " + t.only
	}
	return true, s.exec(ctx, &s.g.n.truncates, sql)
}
