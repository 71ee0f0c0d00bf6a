package engine

import (
	"context"
	"slices"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/validate/rows"
)

// tables returns the chosen tables that have no verdict yet: with replication what is
// published, as it is published, else what the filter chooses.
func (v *verifier) tables(ctx context.Context) ([]*rows.Table, error) {
	all, err := catalog.Tables(ctx, v.src, v.o.Filter)
	if err != nil {
		return nil, err
	}
	chosen := make(map[catalog.Name]*catalog.Table, len(all))
	for i := range all {
		chosen[all[i].Name] = &all[i]
	}
	moved, err := v.movedTables(ctx, all)
	if err != nil {
		return nil, err
	}
	v.result.Skipped = v.result.Skipped[:0]
	ledger, err := v.ledger(ctx)
	if err != nil {
		return nil, err
	}
	judged := make(map[string]bool, len(v.result.Tables))
	for i := range v.result.Tables {
		judged[v.result.Tables[i].Table] = true
	}
	var tables []*rows.Table
	for i := range moved {
		t := &moved[i]
		described := chosen[t.name]
		if described == nil || judged[t.name.String()] {
			continue
		}
		if l, known := ledger[t.name]; v.m != nil && (!known || l.State != target.TableReady && l.State != target.TableIndexing) {
			v.result.Skipped = append(v.result.Skipped, "table "+t.name.String()+": it is not copied")
			continue
		}
		table := &rows.Table{Namespace: t.name.Schema, Name: t.name.Name, Columns: t.columns, Where: t.where, Bytes: max(1, t.bytes)}
		if table.Columns != nil && len(table.Columns) == ungenerated(described) {
			table.Columns = nil // all, and what is generated from them on the target
		}
		tables = append(tables, table)
	}
	for name, l := range ledger {
		if l.State == target.TableSkipped && chosen[name] != nil {
			v.result.Skipped = append(v.result.Skipped, "table "+name.String()+": "+l.Reason)
		}
	}
	return tables, nil
}

func ungenerated(t *catalog.Table) (n int) {
	for i := range t.Columns {
		if t.Columns[i].Generated == "" {
			n++
		}
	}
	return n
}

// movedTables returns what the migration moves of all tables, as far as that is still known:
// publications that were its own go with the cutover.
func (v *verifier) movedTables(ctx context.Context, all []catalog.Table) ([]chosenTable, error) {
	if v.m != nil && v.m.Slot != "" {
		exist, err := publicationsExist(ctx, v.src, v.m.Publications)
		if err != nil {
			return nil, err
		}
		if exist == len(v.m.Publications) {
			return v.chosenTables(ctx)
		}
		if v.m.Phase != target.Done {
			return nil, v.requirePublications(ctx)
		}
	}
	ledger, err := v.ledger(ctx)
	if err != nil {
		return nil, err
	}
	var moved []chosenTable
	for i := range all {
		t := &all[i]
		_, listed := ledger[t.Name]
		if v.m == nil && t.Kind == catalog.KindTable || v.m != nil && listed {
			moved = append(moved, chosenTable{name: t.Name, updates: true, bytes: t.Bytes})
		}
	}
	return moved, nil
}

// ledger returns the migration's tables by name, and remembers what is to be said of them.
func (v *verifier) ledger(ctx context.Context) (map[catalog.Name]target.Table, error) {
	if v.m == nil {
		return nil, nil
	}
	tables, err := target.Tables(ctx, v.dst, v.m.Name)
	if err != nil {
		return nil, err
	}
	ledger := make(map[catalog.Name]target.Table, len(tables))
	for _, t := range slices.Clone(tables) {
		name := catalog.Name{Schema: t.Namespace, Name: t.Name}
		ledger[name], v.remarks[name] = t, t.Reason
	}
	return ledger, nil
}
