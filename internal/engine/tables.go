package engine

import (
	"context"
	"slices"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/snapshot"
)

// listTables brings into the ledger every table that is published, or for a dump
// every table that is chosen, and those that cannot be moved as skipped.
func (e *engine) listTables(ctx context.Context) error {
	chosen, err := e.chosenTables(ctx)
	if err != nil {
		return err
	}
	state := target.TablePending
	if e.command == target.Stream {
		state = target.TableReady
	}
	listed := make(map[catalog.Name]bool, len(chosen))
	var rows []target.Table
	for _, t := range chosen {
		listed[t.name] = true
		row := target.Table{Namespace: t.name.Schema, Name: t.name.Name, State: state}
		if !t.updates {
			row.Reason = "its UPDATE and DELETE are not replicated: no publication sends them"
		}
		rows = append(rows, row)
	}
	skip := func(name catalog.Name, reason string) {
		if !listed[name] {
			listed[name] = true
			rows = append(rows, target.Table{Namespace: name.Schema, Name: name.Name, State: target.TableSkipped, Reason: reason})
		}
	}
	for _, name := range e.unknown {
		skip(name, "it left the publication before it was copied")
	}
	if e.command == target.Migrate && len(e.o.Publications) == 0 {
		if err := e.skippedTables(ctx, skip); err != nil {
			return err
		}
	}
	if err := e.warnUnpublished(ctx, listed); err != nil {
		return err
	}
	return target.AddTables(ctx, e.dst, e.m.Name, rows)
}

// warnUnpublished names the tables that earlier runs have copied, and whose changes
// nothing sends any more.
func (e *engine) warnUnpublished(ctx context.Context, listed map[catalog.Name]bool) error {
	if e.command != target.Migrate || e.m.Slot == "" {
		return nil
	}
	tables, err := target.Tables(ctx, e.dst, e.m.Name)
	if err != nil {
		return err
	}
	for _, t := range tables {
		name := catalog.Name{Schema: t.Namespace, Name: t.Name}
		if t.State != target.TableSkipped && !listed[name] {
			e.warn("table " + name.String() + " is not in the publications any more: its changes since are not moved")
		}
	}
	return nil
}

// skippedTables names the chosen tables whose rows are not moved.
func (e *engine) skippedTables(ctx context.Context, skip func(catalog.Name, string)) error {
	tables, err := catalog.ListTables(ctx, e.src, e.o.Filter)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.Persistence == catalog.Unlogged {
			skip(t.Name, unloggedReason)
		}
	}
	foreign, err := catalog.Skipped(ctx, e.src, e.o.Filter)
	for _, r := range foreign {
		if r.Kind == catalog.KindForeign {
			skip(r.Name, "it is a foreign table: its rows are elsewhere")
		}
	}
	return err
}

// pendingTables returns what is left to copy.
func (e *engine) pendingTables(ctx context.Context) ([]snapshot.Table, error) {
	if err := target.CompleteChunked(ctx, e.dst, e.m.Name); err != nil {
		return nil, err
	}
	if e.m.Slot == "" {
		if err := e.restartDump(ctx); err != nil {
			return nil, err
		}
	}
	rows, err := target.Tables(ctx, e.dst, e.m.Name)
	if err != nil {
		return nil, err
	}
	pending := map[catalog.Name]target.TableState{}
	for _, t := range rows {
		if t.State != target.TableSkipped && !t.Copied() {
			pending[catalog.Name{Schema: t.Namespace, Name: t.Name}] = t.State
		}
	}
	if len(pending) == 0 {
		return nil, nil
	}
	chosen, err := e.chosenTables(ctx)
	if err != nil {
		return nil, err
	}
	var tables []snapshot.Table
	for _, t := range chosen {
		state, ok := pending[t.name]
		if !ok {
			continue
		}
		tables = append(tables, snapshot.Table{
			Namespace: t.name.Schema, Name: t.name.Name, Columns: t.columns, Where: t.where, Descendants: t.root, Bytes: t.bytes,
			Whole:    e.o.IfNotEmpty == Append,
			Truncate: e.o.IfNotEmpty == TruncateFirst || e.m.Slot == "" && state == target.TableCopying,
		})
	}
	return tables, nil
}

// chooseFormats lets the rows of a table travel in binary where every value means the
// same on both sides.
func (e *engine) chooseFormats(ctx context.Context, tables []snapshot.Table) error {
	if e.o.Binary == Off {
		return nil
	}
	names := make([]catalog.Name, len(tables))
	for i := range tables {
		names[i] = catalog.Name{Schema: tables[i].Namespace, Name: tables[i].Name}
	}
	reasons, err := catalog.CopyTextReasons(ctx, e.src, e.dst, names)
	if err != nil {
		return err
	}
	for i, name := range names {
		reason, text := reasons[name]
		tables[i].Binary = !text
		if text {
			e.o.Logger.DebugContext(ctx, "a table's rows are copied as text", "table", name.String(), "reason", reason)
		}
	}
	return nil
}

// restartDump lets a dump that was not finished begin anew: all of its tables
// must come from one snapshot. What an earlier attempt copied is emptied first.
func (e *engine) restartDump(ctx context.Context) error {
	rows, err := target.Tables(ctx, e.dst, e.m.Name)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(rows, func(t target.Table) bool { return t.State == target.TablePending || t.State == target.TableCopying }) {
		return nil
	}
	copied := slices.IndexFunc(rows, target.Table.Copied)
	if copied < 0 {
		return nil
	}
	if e.o.IfNotEmpty == Append {
		err := errors.Newf("table %s.%s was copied by an earlier attempt, from another snapshot", rows[copied].Namespace, rows[copied].Name)
		return errors.WithHint(err, "empty the copied tables and begin anew after walferry cleanup: with --if-not-empty append their rows cannot be told from yours")
	}
	return target.CopyAgain(ctx, e.dst, e.m.Name)
}

// warnNewTables names the tables that the filter chooses and that were made after the
// migration began: no publication of ours sends them, until a later run of the same
// command finds them published.
func (e *engine) warnNewTables(ctx context.Context) error {
	if e.command != target.Migrate || e.m.Slot == "" || len(e.o.Publications) > 0 {
		return nil
	}
	tables, err := catalog.ListTables(ctx, e.src, e.o.Filter)
	if err != nil && e.src.IsClosed() {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // what the filter names may be gone since: that is no reason to stop
	}
	rows, err := target.Tables(ctx, e.dst, e.m.Name)
	if err != nil {
		return err
	}
	known := make(map[catalog.Name]bool, len(rows))
	for _, t := range rows {
		known[catalog.Name{Schema: t.Namespace, Name: t.Name}] = true
	}
	for _, t := range tables {
		if !known[t.Name] && !known[t.Root] {
			e.warn("table " + t.String() + " was made after the migration began, and is not moved: make it on the target, " +
				"and on the source add it to publication " + e.m.Publications[0])
		}
	}
	return nil
}
