package applier

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

var (
	//go:embed table.sql
	tableSQL string
	//go:embed columns.sql
	columnsSQL string
	//go:embed indexes.sql
	indexesSQL string
)

// table is a target table as its catalog describes it.
type table struct {
	oid         uint32
	namespace   string
	name        string
	partitioned bool
	// triggers, rules and policies report what acts on a write in this session.
	triggers, rules, policies bool
	columns                   []targetColumn
	indexes                   []index
}

// targetColumn is a column of a target table.
type targetColumn struct {
	name           string
	number         int16
	typeName       string // quoted and qualified, for casts
	notNull        bool
	generated      bool
	identityAlways bool
	// equal is the operator that the type's default index uses.
	equal string
	// bytewise reports that equal values have equal bytes, as text and as binary.
	bytewise bool
}

// index is a unique or exclusion index.
type index struct {
	primary   bool
	unique    bool
	immediate bool
	// columns are attribute numbers, 0 for an expression.
	columns []int16
	// plain reports that it has neither predicate nor expressions.
	plain bool
}

// errNoTable marks the absence of a table on the target.
var errNoTable = errors.New("no such table on the target")

// readTable looks a table up.
func readTable(ctx context.Context, conn *pgx.Conn, namespace, name string) (*table, error) {
	t := &table{namespace: namespace, name: name}
	var writable bool
	err := conn.QueryRow(ctx, tableSQL, namespace, name).
		Scan(&t.oid, &t.partitioned, &writable, &t.triggers, &t.rules, &t.policies)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoTable
	}
	if err == nil && !writable {
		err = errors.New("it is not a table on the target")
	}
	if err == nil {
		err = t.readColumns(ctx, conn)
	}
	if err == nil {
		err = t.readIndexes(ctx, conn)
	}
	return t, errors.Wrapf(err, "read the definition of %s on the target", t)
}

func (t *table) readColumns(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, columnsSQL, t.oid)
	if err != nil {
		return err
	}
	t.columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (targetColumn, error) {
		var c targetColumn
		err := row.Scan(&c.name, &c.number, &c.typeName, &c.notNull, &c.generated, &c.identityAlways, &c.equal, &c.bytewise)
		return c, err
	})
	return err
}

func (t *table) readIndexes(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, indexesSQL, t.oid)
	if err != nil {
		return err
	}
	t.indexes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (index, error) {
		var i index
		err := row.Scan(&i.primary, &i.unique, &i.immediate, &i.columns, &i.plain)
		return i, err
	})
	return err
}

// String returns the name as an operator writes it.
func (t *table) String() string {
	return t.namespace + "." + t.name
}

// sql returns the name as a statement needs it.
func (t *table) sql() string {
	return pgx.Identifier{t.namespace, t.name}.Sanitize()
}

// only returns the name for a statement that must not touch inheriting tables:
// those are published under their own names. A partitioned table has no rows of its own.
func (t *table) only() string {
	if t.partitioned {
		return t.sql()
	}
	return "ONLY " + t.sql()
}
