package applier

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/failpoint"
)

// writeTruncate writes a TRUNCATE: one statement for all its tables, since a statement
// for each would fail where foreign keys tie them. CASCADE is never added; the source
// has already named every table that it reached there.
func (l *lane) writeTruncate(ctx context.Context, b *batch, index int, commitLSN decoder.LSN) error {
	t := &b.truncations[b.changes[index].relation]
	var tables []*table
	var names []string
	for _, r := range t.relations {
		if p := l.current[r]; !p.skips(commitLSN) {
			tables, names = append(tables, p.table), append(names, p.table.only())
		}
	}
	if len(tables) == 0 {
		return nil
	}
	sql := "TRUNCATE " + strings.Join(names, ", ")
	if t.restartIdentity {
		sql += " RESTART IDENTITY"
	}
	count(&l.pending, decoder.Truncate)
	constraints, err := l.deferrable(ctx, tables)
	if err != nil {
		return err
	}
	if constraints != "" {
		sql = "SET CONSTRAINTS " + constraints + " IMMEDIATE; " + sql + "; SET CONSTRAINTS " + constraints + " DEFERRED"
	}
	l.begin()
	failpoint.Hit("apply: before TRUNCATE")
	if err := l.exec(ctx, sql); err != nil {
		return l.explain(err, b, index)
	}
	failpoint.Hit("apply: truncated")
	return nil
}

// deferrable lists the unique constraints of tables that this transaction may still
// have to check, with which the server truncates none of them. They hold before a
// TRUNCATE: the source would not have let it pass either.
func (l *lane) deferrable(ctx context.Context, tables []*table) (names string, err error) {
	if !l.open {
		return "", nil
	}
	var oids []uint32
	for _, t := range tables {
		oids = append(oids, t.oid)
	}
	if err := l.exec(ctx, ""); err != nil { // what is to come before
		return "", err
	}
	err = l.conn.QueryRow(ctx, `
		SELECT coalesce(pg_catalog.string_agg(pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.conname), ', '), '')
		FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
		WHERE c.condeferrable AND c.contype IN ('p', 'u', 'x') AND c.conrelid IN (
			SELECT o FROM pg_catalog.unnest($1::oid[]) o
			UNION ALL SELECT p.relid FROM pg_catalog.unnest($1::oid[]) o, pg_catalog.pg_partition_tree(o) p)`, oids).Scan(&names)
	return names, errors.Wrap(err, "read the deferrable constraints of tables to truncate")
}
