package engine

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/carry"
	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/snapshot"
)

// unloggedReason is why a table is skipped until the end.
const unloggedReason = "it is unlogged: its rows are not in the WAL and are copied when the migration is finished"

// syncSequences sets the target's sequences to the source's positions, or margin
// numbers ahead of them. See [carry.Sequences].
func (e *engine) syncSequences(ctx context.Context, margin int64) error {
	r, err := carry.Sequences(ctx, carry.SequenceOptions{Source: e.src, Target: e.dst, Migration: e.m.Name, Margin: margin, Some: !e.o.Filter.IsZero()})
	if err != nil {
		return err
	}
	e.sequencesSet = r.Sequences
	e.warn(r.Warnings...)
	return nil
}

// copyLargeObjects makes the target's large objects those of the source, as they
// are now or as an exported snapshot shows them. It is called before the stream,
// so that little is left for the end, and again once nothing is written anymore.
func (e *engine) copyLargeObjects(ctx context.Context, snapshotName string) error {
	if reason := e.noLargeObjects(); reason != "" {
		n, err := catalog.LargeObjects(ctx, e.src)
		if err == nil && n > 0 {
			e.warn("large objects are not moved: " + reason)
		}
		return err
	}
	if e.m.Slot == "" && snapshotName == "" {
		return nil // a dump has moved them with its rows
	}
	r, err := carry.LargeObjects(ctx, carry.LargeObjectOptions{
		Source: e.src, Target: e.dst, Migration: e.m.Name, Snapshot: snapshotName,
		Overwrite: e.o.IfNotEmpty == TruncateFirst, NoOwner: e.o.NoOwner,
		Progress: func(int64) {
			e.report(func(v *status.Progress) { v.Item = "large objects" })
			e.progressed()
		},
	})
	e.warn(r.Warnings...)
	return err
}

// noLargeObjects says why large objects are left out; empty when they are not. As
// in pg_dump, a choice of tables leaves them out: nothing says whose they are.
func (e *engine) noLargeObjects() string {
	switch {
	case e.o.NoLargeObjects:
		return "that was asked for"
	case !e.o.Filter.IsZero():
		return "only some tables were chosen, and large objects belong to none"
	}
	return ""
}

// copyUnlogged copies the rows of the chosen unlogged tables, as they are now. It
// is called once nothing is written to the source anymore.
func (e *engine) copyUnlogged(ctx context.Context) error {
	if e.m.Slot == "" || len(e.o.Publications) > 0 {
		return nil // a dump has copied them with all others; publications name what moves
	}
	tables, err := catalog.ListTables(ctx, e.src, e.o.Filter)
	if err != nil {
		return err
	}
	var names []catalog.Name
	for _, t := range tables {
		if t.Persistence == catalog.Unlogged {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	var oids []uint32
	existing := names[:0]
	for _, name := range names {
		var oid *uint32
		if err := e.dst.QueryRow(ctx, `SELECT pg_catalog.to_regclass($1)::oid`, name.Quoted()).Scan(&oid); err != nil {
			return errors.Wrapf(err, "look for %s on the target", name)
		}
		if oid == nil {
			e.warn("table " + name.String() + " does not exist on the target: its rows were not copied")
			continue
		}
		existing, oids = append(existing, name), append(oids, *oid)
	}
	if err := target.TakeDownObjects(ctx, e.dst, e.m.Name, target.Rung(e.m.Rung), oids); err != nil {
		return err
	}
	err = carry.UnloggedTables(ctx, carry.UnloggedOptions{
		Source: func(ctx context.Context) (*pgx.Conn, error) {
			return e.o.Source.Connect(ctx, conninfo.WithPurpose("copy"))
		},
		Target: e.writeConnection("copy"), Migration: e.m.Name, Tables: existing, Jobs: e.o.Jobs, Logger: e.o.Logger,
		Overwrite: e.o.IfNotEmpty == TruncateFirst, Append: e.o.IfNotEmpty == Append,
		Progress: func(p snapshot.Progress) {
			e.report(func(v *status.Progress) { v.Item = p.Table.String() })
		},
	})
	if errors.Is(err, carry.ErrNotEmpty) {
		err = errors.Mark(err, ErrBlocked)
	}
	return err
}

// copyExtensionRows copies what users keep in the tables of extensions, as it is now.
func (e *engine) copyExtensionRows(ctx context.Context) error {
	if !e.o.Filter.IsZero() || len(e.o.Publications) > 0 {
		return nil
	}
	warnings, err := carry.ExtensionRows(ctx, carry.ExtensionOptions{
		Source: func(ctx context.Context) (*pgx.Conn, error) {
			return e.o.Source.Connect(ctx, conninfo.WithPurpose("copy"))
		},
		Target: e.writeConnection("copy"), Exclude: e.o.ExcludeExtensions, Logger: e.o.Logger,
	})
	e.warn(warnings...)
	return err
}

// refreshViews fills the materialized views of a schema that was there before:
// one that is moved brings the statements with it.
func (e *engine) refreshViews(ctx context.Context) error {
	if !e.o.NoSchema || !e.o.Filter.IsZero() {
		return nil
	}
	conn, err := e.schemaConnection(ctx)
	if err != nil {
		return err
	}
	warnings, err := carry.RefreshViews(ctx, e.src, conn)
	e.warn(warnings...)
	return errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx)))
}

// analyze gives the planner statistics before the application arrives: of what was
// copied, of the partitioned tables over it, and of materialized views.
func (e *engine) analyze(ctx context.Context) error {
	rows, err := e.dst.Query(ctx, `
		WITH copied AS (
			SELECT c.oid, c.relispartition, t.bytes FROM walferry."table" t
			JOIN pg_catalog.pg_namespace n ON n.nspname = t.namespace
			JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
			WHERE t.migration = $1 AND t.state IN ('indexing', 'ready')
		), roots AS (
			SELECT DISTINCT pg_catalog.pg_partition_root(oid)::oid AS oid FROM copied WHERE relispartition
		)
		SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN copied ON copied.oid = c.oid
		WHERE c.oid IN (SELECT oid FROM copied UNION ALL SELECT oid FROM roots)
		   OR c.relkind = 'm' AND c.relispopulated AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'walferry')
		ORDER BY coalesce(copied.bytes, pg_catalog.pg_table_size(c.oid)) DESC, 1, 2`, e.m.Name)
	if err != nil {
		return errors.Wrap(err, "list what is to be analyzed on the target")
	}
	relations, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n catalog.Name, err error) {
		err = row.Scan(&n.Schema, &n.Name)
		return n, err
	})
	if err != nil {
		return errors.Wrap(err, "list what is to be analyzed on the target")
	}
	warnings, err := carry.Analyze(ctx, e.schemaConnection, e.o.Jobs, relations)
	e.warn(warnings...)
	return err
}

// warn keeps what was moved with a loss for the summary, each loss once.
func (e *engine) warn(messages ...string) {
	for _, message := range messages {
		if e.warned[message] {
			continue
		}
		if e.warned == nil {
			e.warned = map[string]bool{}
		}
		e.warned[message] = true
		e.warnings = append(e.warnings, message)
		e.o.Logger.Warn("moved with a loss", "reason", message)
	}
}
