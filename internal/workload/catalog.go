package workload

import (
	"context"
	_ "embed" // the queries
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

//go:embed tables.sql
var tablesSQL string

//go:embed types.sql
var typesSQL string

// column is one column of a table.
type column struct {
	Name     string
	Number   int16
	Type     uint32
	Typmod   int32
	TypeName string // as SQL
	NotNull  bool
	Default  bool
	Indexed  bool   // by any index, also on an expression
	Identity string // a, d or empty, as attidentity

	Generated string // not empty when generated
	unique    bool   // in any unique index
	foreign   bool   // in any foreign key
	routes    bool   // in the partition key
}

// writable reports whether a statement may give the column a value.
func (c *column) writable() bool { return c.Generated == "" && c.Identity != "a" }

type uniqueIndex struct {
	Primary    bool
	Partial    bool
	Deferrable bool
	Columns    []int16 // 0 is an expression
}

type foreignKey struct {
	Columns       []int16
	Parent        uint32
	ParentColumns []int16
}

// table is what the sessions must know to write valid rows. Immutable.
type table struct {
	OID          uint32
	Schema, Name string
	Partitioned  bool
	Identity     bool // updates and deletes can be published
	Columns      []*column
	Unique       []uniqueIndex
	PartitionKey []int16
	ForeignKeys  []foreignKey
	Referenced   bool

	sql  string // the quoted name
	only string // the same with ONLY unless partitioned
	size string // an expression for the bytes of its rows
}

func (t *table) column(number int16) *column {
	i := slices.IndexFunc(t.Columns, func(c *column) bool { return c.Number == number })
	if i < 0 {
		return nil
	}
	return t.Columns[i]
}

// key returns the columns by which a row is known; nil when there is no such index.
func (t *table) key() []*column {
	for _, u := range t.Unique {
		var key []*column
		for _, number := range u.Columns {
			if c := t.column(number); c != nil && c.NotNull && !u.Partial {
				key = append(key, c)
			}
		}
		if len(key) > 0 && len(key) == len(u.Columns) {
			return key
		}
	}
	return nil
}

// deferrable reports whether a unique constraint may be checked late; then
// ON CONFLICT is not possible.
func (t *table) deferrable() bool {
	return slices.ContainsFunc(t.Unique, func(u uniqueIndex) bool { return u.Deferrable })
}

// catalog is the part of a database that is written to.
type catalog struct {
	tables []*table
	byOID  map[uint32]*table
	types  types
}

func readCatalog(ctx context.Context, conn *pgx.Conn, o Options) (*catalog, error) {
	all, err := readJSON[table](ctx, conn, tablesSQL)
	if err != nil {
		return nil, errors.Wrap(err, "read the tables")
	}
	known, err := readJSON[typ](ctx, conn, typesSQL)
	if err != nil {
		return nil, errors.Wrap(err, "read the types")
	}
	c := &catalog{byOID: map[uint32]*table{}, types: types{}}
	for _, t := range known {
		c.types[t.OID] = t
	}
	for _, t := range all {
		t.prepare()
		c.byOID[t.OID] = t
		chosen := len(o.Schemas) == 0 || slices.Contains(o.Schemas, t.Schema)
		if chosen && !slices.Contains(o.Skip, t.Schema+"."+t.Name) {
			c.tables = append(c.tables, t)
		}
	}
	if len(c.tables) == 0 {
		return nil, errors.New("there is no table to write to")
	}
	return c, nil
}

// prepare derives what the queries do not tell.
func (t *table) prepare() {
	t.sql = pgx.Identifier{t.Schema, t.Name}.Sanitize()
	t.only = t.sql
	t.size = fmt.Sprintf("pg_catalog.pg_relation_size(%d)", t.OID)
	if !t.Partitioned {
		t.only = "ONLY " + t.sql
	} else {
		t.size = fmt.Sprintf("(SELECT sum(pg_catalog.pg_relation_size(relid)) FROM pg_catalog.pg_partition_tree(%d))", t.OID)
	}
	mark := func(numbers []int16, set func(*column)) {
		for _, number := range numbers {
			if c := t.column(number); c != nil {
				set(c)
			}
		}
	}
	for _, u := range t.Unique {
		mark(u.Columns, func(c *column) { c.unique = true })
	}
	for _, f := range t.ForeignKeys {
		mark(f.Columns, func(c *column) { c.foreign = true })
	}
	mark(t.PartitionKey, func(c *column) { c.routes = true })
}

func readJSON[T any](ctx context.Context, conn *pgx.Conn, sql string) ([]*T, error) {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*T, error) {
		var text []byte
		if err := row.Scan(&text); err != nil {
			return nil, err
		}
		value := new(T)
		return value, json.Unmarshal(text, value)
	})
}
