package catalog

import (
	"context"
	_ "embed"
	"slices"

	"github.com/cockroachdb/errors"
)

//go:embed publications13.sql
var publications13SQL string

//go:embed publications15.sql
var publications15SQL string

// Publication is what a publication publishes.
type Publication struct {
	Name  string
	Owner string
	// AllTables says FOR ALL TABLES.
	AllTables bool
	// ViaRoot says that changes of partitions appear as those of the topmost
	// partitioned table that is published.
	ViaRoot                          bool
	Insert, Update, Delete, Truncate bool
	// Tables are in order of schema and name: with ViaRoot the partitioned
	// tables, else their partitions.
	Tables []PublishedTable
}

// PublishedTable is a table as a publication publishes it.
type PublishedTable struct {
	OID uint32
	Name
	// RowFilter is the WHERE clause without the word, empty for all rows.
	RowFilter string
	// Columns are the published ones in attribute order; ColumnList says that
	// the publication names them, so that a column added later is not published.
	Columns    []string
	ColumnList bool
}

// publicationRow is a row of pg_publication.
type publicationRow struct {
	Name, Owner                      string
	AllTables, ViaRoot               bool
	Insert, Update, Delete, Truncate bool
}

const publicationsSQL = `SELECT pubname AS name, pg_catalog.pg_get_userbyid(pubowner)::pg_catalog.text AS owner,
	puballtables AS all_tables, pubviaroot AS via_root,
	pubinsert AS insert, pubupdate AS update, pubdelete AS delete, pubtruncate AS truncate
	FROM pg_catalog.pg_publication WHERE pubname = ANY ($1::pg_catalog.text[])`

// Publications describes the named publications, in the order of names. A name
// that does not exist is an error.
func Publications(ctx context.Context, q Querier, names []string) ([]Publication, error) {
	num, err := versionNum(ctx, q)
	if err != nil {
		return nil, errors.Wrap(err, "read the server's version")
	}
	rows, err := collect[publicationRow](ctx, q, publicationsSQL, names)
	if err != nil {
		return nil, errors.Wrap(err, "read publications")
	}
	publications := make([]Publication, len(names))
	for i, name := range names {
		j := slices.IndexFunc(rows, func(r publicationRow) bool { return r.Name == name })
		if j < 0 {
			return nil, errors.WithHint(errors.Newf("publication %q does not exist", name),
				"names of publications are taken as they are written, also their case")
		}
		r := rows[j]
		publications[i] = Publication{
			Name: r.Name, Owner: r.Owner, AllTables: r.AllTables, ViaRoot: r.ViaRoot,
			Insert: r.Insert, Update: r.Update, Delete: r.Delete, Truncate: r.Truncate,
		}
	}
	tablesSQL := publications15SQL
	if num < 150000 {
		tablesSQL = publications13SQL
	}
	tables, err := collect[struct {
		Publication, Schema, Name, RowFilter string
		OID                                  uint32
		Columns                              []string
		ColumnList                           bool
	}](ctx, q, tablesSQL, names)
	if err != nil {
		return nil, errors.Wrap(err, "read the tables of publications")
	}
	for _, t := range tables {
		for i := range publications {
			if publications[i].Name == t.Publication {
				publications[i].Tables = append(publications[i].Tables, PublishedTable{
					OID: t.OID, Name: Name{t.Schema, t.Name},
					RowFilter: t.RowFilter, Columns: t.Columns, ColumnList: t.ColumnList,
				})
			}
		}
	}
	return publications, nil
}
