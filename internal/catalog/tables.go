package catalog

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
)

//go:embed tables.sql
var tablesSQL string

//go:embed columns.sql
var columnsSQL string

// Tables returns the ordinary and partitioned tables that the filter chooses,
// ordered by schema and name, partitions as tables of their own. It waits for a
// lock on a table that is being altered.
//
// A partitioned table may be among them while some of its partitions are not:
// an exclusion can name a single partition.
func Tables(ctx context.Context, q Querier, f Filter) ([]Table, error) {
	return tables(ctx, q, f, true)
}

// Definitions returns what Tables does without Bytes: for these the server opens every
// table's files, and waits for its lock.
func Definitions(ctx context.Context, q Querier, f Filter) ([]Table, error) {
	return tables(ctx, q, f, false)
}

func tables(ctx context.Context, q Querier, f Filter, sizes bool) ([]Table, error) {
	chosen, err := choose(ctx, q, f)
	if err != nil {
		return nil, errors.Wrap(err, "choose tables")
	}
	var oids []uint32
	for _, c := range chosen {
		if Kind(c.Kind[0]) == KindTable || Kind(c.Kind[0]) == KindPartitioned {
			oids = append(oids, c.OID)
		}
	}
	return describe(ctx, q, oids, sizes)
}

// ListedTable is what is known of a table without a look into it.
type ListedTable struct {
	Name
	Persistence Persistence
	Root        Name // of a partition
}

// ListTables returns the ordinary tables that the filter chooses, as Tables does, but
// waits for no lock, and takes a small part of the time.
func ListTables(ctx context.Context, q Querier, f Filter) ([]ListedTable, error) {
	chosen, err := choose(ctx, q, f)
	if err != nil {
		return nil, errors.Wrap(err, "choose tables")
	}
	var tables []ListedTable
	for _, c := range chosen {
		if Kind(c.Kind[0]) == KindTable {
			tables = append(tables, ListedTable{Name: Name{c.Schema, c.Name}, Persistence: Persistence(c.Persistence[0]), Root: c.root})
		}
	}
	return tables, nil
}

// TablesByOID describes the tables of the given OIDs. One that does not exist,
// or is no ordinary or partitioned table, is left out.
func TablesByOID(ctx context.Context, q Querier, oids []uint32) ([]Table, error) {
	return describe(ctx, q, oids, true)
}

// ExtensionTables returns the configuration tables of extensions: their
// structure comes with CREATE EXTENSION, of their rows those that satisfy
// Condition are the user's.
func ExtensionTables(ctx context.Context, q Querier) ([]Table, error) {
	all, err := candidates(ctx, q, nil)
	if err != nil {
		return nil, err
	}
	config := make(map[uint32]candidate)
	var oids []uint32
	for _, c := range all {
		if c.Config && Kind(c.Kind[0]) == KindTable {
			config[c.OID] = c
			oids = append(oids, c.OID)
		}
	}
	tables, err := describe(ctx, q, oids, true)
	for i := range tables {
		tables[i].Extension, tables[i].Condition = config[tables[i].OID].Extension, config[tables[i].OID].Condition
	}
	return tables, err
}

// SkippedRelation is a chosen relation whose rows are not copied.
type SkippedRelation struct {
	Name
	// Kind is KindForeign or KindMaterializedView.
	Kind Kind
}

// Skipped returns the chosen relations that hold rows which come from
// elsewhere: foreign tables and materialized views.
func Skipped(ctx context.Context, q Querier, f Filter) ([]SkippedRelation, error) {
	chosen, err := choose(ctx, q, f)
	if err != nil {
		return nil, errors.Wrap(err, "choose tables")
	}
	var skipped []SkippedRelation
	for _, c := range chosen {
		if kind := Kind(c.Kind[0]); kind == KindForeign || kind == KindMaterializedView {
			skipped = append(skipped, SkippedRelation{Name: Name{c.Schema, c.Name}, Kind: kind})
		}
	}
	return skipped, nil
}

// tableRow is a row of tables.sql.
type tableRow struct {
	OID                           uint32
	Schema, Name                  string
	Kind, Persistence             string
	Owner, AccessMethod           string
	IsPartition                   bool
	ParentSchema, ParentName      string
	RootSchema, RootName          string
	RootOID                       uint32
	HasChildren, Inherits         bool
	ReplicaIdentity               string
	IdentityColumns, PrimaryKey   []string
	PrimaryKeyDeferrable          bool
	EstimatedRows, Bytes          int64
	RowSecurity, ForceRowSecurity bool
}

type columnRow struct {
	Relation            uint32
	AttNum              int16 `db:"attnum"`
	Name                string
	TypeOID             uint32
	TypeName            string
	Typmod              int32
	NotNull             bool
	Generated, Identity string
	HasDefault          bool
	Collation           string
}

// describe reads the tables and their columns in three round trips.
func describe(ctx context.Context, q Querier, oids []uint32, sizes bool) ([]Table, error) {
	if len(oids) == 0 {
		return nil, nil
	}
	num, err := versionNum(ctx, q)
	if err != nil {
		return nil, errors.Wrap(err, "read the server's version")
	}
	// Until 13, reltuples = 0 also meant that nobody had counted.
	rows, err := collect[tableRow](ctx, q, tablesSQL, oids, num >= 140000, sizes)
	if err != nil {
		return nil, errors.Wrap(err, "read tables")
	}
	columns, err := collect[columnRow](ctx, q, columnsSQL, oids)
	if err != nil {
		return nil, errors.Wrap(err, "read columns")
	}
	tables := make([]Table, len(rows))
	byOID := make(map[uint32]*Table, len(rows))
	for i, r := range rows {
		tables[i] = Table{
			OID: r.OID, Name: Name{r.Schema, r.Name},
			Kind: Kind(r.Kind[0]), Persistence: Persistence(r.Persistence[0]),
			Owner: r.Owner, AccessMethod: r.AccessMethod,
			IsPartition: r.IsPartition, Parent: Name{r.ParentSchema, r.ParentName}, Root: Name{r.RootSchema, r.RootName},
			HasChildren: r.HasChildren, Inherits: r.Inherits,
			ReplicaIdentity: ReplicaIdentity(r.ReplicaIdentity[0]),
			Identity:        r.IdentityColumns, PrimaryKey: r.PrimaryKey, PrimaryKeyDeferrable: r.PrimaryKeyDeferrable,
			EstimatedRows: r.EstimatedRows, Bytes: r.Bytes,
			RowSecurity: r.RowSecurity, ForceRowSecurity: r.ForceRowSecurity,
		}
		byOID[r.OID] = &tables[i]
	}
	for _, c := range columns {
		if t := byOID[c.Relation]; t != nil {
			t.Columns = append(t.Columns, Column{
				AttNum: c.AttNum, Name: c.Name, TypeOID: c.TypeOID, TypeName: c.TypeName, Typmod: c.Typmod,
				NotNull: c.NotNull, Generated: c.Generated, Identity: c.Identity, HasDefault: c.HasDefault, Collation: c.Collation,
			})
		}
	}
	setIdentityProblems(tables, num)
	return tables, nil
}
