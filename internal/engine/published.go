package engine

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
)

//go:embed published.sql
var publishedSQL string

// copiedColumns are the published columns but for generated ones, which COPY
// neither reads nor writes.
const copiedColumns = `(SELECT pg_catalog.array_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = t.oid AND a.attnum > 0 AND a.attname = ANY (t.attnames) AND a.attgenerated = '')`

// chosenTable is a table to move, under the name that the stream gives it.
type chosenTable struct {
	name    catalog.Name
	columns []string // nil: all
	where   string   // "": all rows
	root    bool     // a partitioned table, moved with its partitions
	updates bool     // UPDATE and DELETE are sent as well
	bytes   int64
}

// chosenTables returns what is to be moved: with a slot what its publications
// send, without one what the filter chooses.
func (e *engine) chosenTables(ctx context.Context) ([]chosenTable, error) {
	if e.m.Slot == "" {
		return e.filteredTables(ctx)
	}
	columns, filter := "NULL::name[]", "NULL::text"
	if e.major >= 15 {
		columns, filter = copiedColumns, "t.rowfilter"
	}
	rows, err := e.src.Query(ctx, fmt.Sprintf(publishedSQL, columns, filter, filter), e.m.Publications)
	if err != nil {
		return nil, errors.Wrap(err, "read what the publications send")
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t chosenTable, err error) {
		var where *string
		err = row.Scan(&t.name.Schema, &t.name.Name, &t.root, &t.updates, &t.columns, &where, &t.bytes)
		if where != nil {
			t.where = *where
		}
		return t, err
	})
	return tables, errors.Wrap(err, "read what the publications send")
}

// filteredTables returns the tables that hold the chosen rows, partitions each by itself.
func (e *engine) filteredTables(ctx context.Context) ([]chosenTable, error) {
	all, err := catalog.Tables(ctx, e.src, e.o.Filter)
	if err != nil {
		return nil, err
	}
	var tables []chosenTable
	for i := range all {
		if all[i].Kind == catalog.KindTable {
			tables = append(tables, chosenTable{name: all[i].Name, updates: true, bytes: all[i].Bytes})
		}
	}
	return tables, nil
}
