package catalog

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
)

//go:embed constraints.sql
var constraintsSQL string

// ConstraintType is pg_constraint.contype.
type ConstraintType byte

// The types of constraint that matter to rows. Constraints of domains, and NOT
// NULL constraints with a name, are not read.
const (
	PrimaryKey ConstraintType = 'p'
	Unique     ConstraintType = 'u'
	Exclusion  ConstraintType = 'x'
	Check      ConstraintType = 'c'
	ForeignKey ConstraintType = 'f'
)

// Constraint is a constraint of a table.
type Constraint struct {
	OID        uint32
	Constraint string
	Type       ConstraintType
	// Table is the one that the constraint belongs to, Referenced that which a
	// foreign key points to.
	Table, Referenced       Name
	TableOID, ReferencedOID uint32
	// Columns are those of Table, in the constraint's order.
	Columns []string
	// Definition is what follows ADD CONSTRAINT name.
	Definition           string
	Deferrable, Deferred bool
	// Validated says that all rows are known to satisfy it, Enforced that it is
	// checked at all.
	Validated, Enforced bool
	// Inherited says that it follows from the constraint of a partitioned table
	// and comes and goes with that one.
	Inherited bool
}

// Constraints returns the constraints of the tables, foreign keys left out.
func Constraints(ctx context.Context, q Querier, tables []uint32) ([]Constraint, error) {
	found, err := constraints(ctx, q, tables, []string{"p", "u", "x", "c"}, false)
	return found, errors.Wrap(err, "read constraints")
}

// ForeignKeys returns the foreign keys that point from one of the tables, or to
// one of them.
func ForeignKeys(ctx context.Context, q Querier, tables []uint32) ([]Constraint, error) {
	found, err := constraints(ctx, q, tables, []string{"f"}, true)
	return found, errors.Wrap(err, "read foreign keys")
}

func constraints(ctx context.Context, q Querier, tables []uint32, types []string, referenced bool) ([]Constraint, error) {
	rows, err := collect[struct {
		OID, TableOID, ReferencedOID     uint32
		Constraint, Type                 string
		Schema, Name                     string
		ReferencedSchema, ReferencedName string
		Columns                          []string
		Definition                       string
		Deferrable, Deferred             bool
		Validated, Enforced, Inherited   bool
	}](ctx, q, constraintsSQL, tables, types, referenced)
	if err != nil {
		return nil, err
	}
	found := make([]Constraint, len(rows))
	for i, r := range rows {
		found[i] = Constraint{
			OID: r.OID, Constraint: r.Constraint, Type: ConstraintType(r.Type[0]),
			Table: Name{r.Schema, r.Name}, Referenced: Name{r.ReferencedSchema, r.ReferencedName},
			TableOID: r.TableOID, ReferencedOID: r.ReferencedOID,
			Columns: r.Columns, Definition: r.Definition, Deferrable: r.Deferrable, Deferred: r.Deferred,
			Validated: r.Validated, Enforced: r.Enforced, Inherited: r.Inherited,
		}
	}
	return found, nil
}
