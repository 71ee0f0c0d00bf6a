package catalog

import (
	"github.com/walferry/walferry/internal/sqltext"
)

// Kind is pg_class.relkind.
type Kind byte

// The kinds of relation that hold or describe rows.
const (
	KindTable            Kind = 'r'
	KindPartitioned      Kind = 'p'
	KindForeign          Kind = 'f'
	KindMaterializedView Kind = 'm'
)

// Persistence is pg_class.relpersistence.
type Persistence byte

// Temporary tables are never read by this package.
const (
	Permanent Persistence = 'p'
	Unlogged  Persistence = 'u'
)

// ReplicaIdentity is pg_class.relreplident.
type ReplicaIdentity byte

// What an UPDATE or DELETE carries of the old row.
const (
	IdentityDefault ReplicaIdentity = 'd'
	IdentityNothing ReplicaIdentity = 'n'
	IdentityFull    ReplicaIdentity = 'f'
	IdentityIndex   ReplicaIdentity = 'i'
)

// Name is a relation's name with its schema. Both parts are unquoted.
type Name struct {
	Schema, Name string
}

// String is the name as messages show it: unquoted, with a dot.
func (n Name) String() string { return n.Schema + "." + n.Name }

// Quoted is the name as SQL wants it.
func (n Name) Quoted() string { return sqltext.Ident(n.Schema, n.Name) }

// IsZero says that no relation is named.
func (n Name) IsZero() bool { return n == Name{} }

// Table is an ordinary or partitioned table as the catalog describes it.
type Table struct {
	OID uint32
	Name
	Kind        Kind
	Persistence Persistence
	Owner       string
	// AccessMethod is "heap" as a rule, and empty where the table has none.
	AccessMethod string

	// IsPartition says that Parent is the table's partitioned table and Root
	// the topmost one. Both are zero for other tables.
	IsPartition  bool
	Parent, Root Name
	// HasChildren says that tables inherit from this one or are partitions of
	// it, Inherits that it inherits from another table without being a partition.
	HasChildren, Inherits bool

	ReplicaIdentity ReplicaIdentity
	// Identity holds the columns, in index order, by which the stream names a
	// row: the primary key or the chosen index. It is nil when the identity is
	// FULL or NOTHING, or when there is no such index.
	Identity []string
	// PrimaryKey holds the primary key's columns in index order, also those of
	// a deferrable key, which is no identity.
	PrimaryKey           []string
	PrimaryKeyDeferrable bool
	// Columns are in attribute order, without dropped ones.
	Columns []Column

	// EstimatedRows is the planner's figure, -1 when the table was never
	// analyzed. Bytes counts the main fork, maps and TOAST, no index; it is 0
	// for a partitioned table.
	EstimatedRows int64
	Bytes         int64

	// RowSecurity says that policies apply, ForceRowSecurity that they apply to
	// the owner as well.
	RowSecurity, ForceRowSecurity bool

	// Extension is the extension that owns the table, Condition the WHERE clause
	// that tells its user's rows from its own. Only ExtensionTables returns such
	// tables.
	Extension, Condition string

	problem string
}

// Column is a column of a table.
type Column struct {
	AttNum int16
	Name   string
	// TypeName is the type with its modifier, schema-qualified unless it is
	// built in: numeric(10,2), app.mood[].
	TypeOID  uint32
	TypeName string
	Typmod   int32
	NotNull  bool
	// Generated is "" or "s" (stored) or "v" (virtual).
	Generated string
	// Identity is "" or "a" (GENERATED ALWAYS) or "d" (BY DEFAULT).
	Identity string
	// HasDefault is false for generated columns.
	HasDefault bool
	// Collation is quoted and schema-qualified; empty when it is the type's own.
	Collation string
}

// Identified says that the table's UPDATE and DELETE statements work while a
// publication publishes them. A partitioned table is identified when all its
// partitions are.
func (t *Table) Identified() bool { return t.problem == "" }

// IdentityProblem says why the table is not identified; empty when it is.
func (t *Table) IdentityProblem() string { return t.problem }

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}
