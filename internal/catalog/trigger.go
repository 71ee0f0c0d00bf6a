package catalog

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
)

//go:embed triggers.sql
var triggersSQL string

//go:embed rules.sql
var rulesSQL string

// Enabled says in which sessions a trigger or rule fires.
type Enabled byte

// The values of tgenabled and ev_enabled.
const (
	EnabledOrigin  Enabled = 'O'
	Disabled       Enabled = 'D'
	EnabledReplica Enabled = 'R'
	EnabledAlways  Enabled = 'A'
)

// FiresInReplica says that it fires also under session_replication_role =
// replica.
func (e Enabled) FiresInReplica() bool { return e == EnabledReplica || e == EnabledAlways }

// Trigger is a trigger that a user made. Those of foreign keys and deferrable
// keys are not read.
type Trigger struct {
	OID      uint32
	Trigger  string
	Table    Name
	TableOID uint32
	Enabled  Enabled
	// Inherited says that a partition has it from its partitioned table. It is
	// enabled and disabled by itself.
	Inherited  bool
	Definition string
}

// Rule is a rewrite rule that a user made on a table.
type Rule struct {
	OID        uint32
	Rule       string
	Table      Name
	TableOID   uint32
	Enabled    Enabled
	Definition string
}

// Triggers returns the triggers of the tables.
func Triggers(ctx context.Context, q Querier, tables []uint32) ([]Trigger, error) {
	rows, err := collect[struct {
		OID, TableOID         uint32
		Trigger, Schema, Name string
		Enabled, Definition   string
		Inherited             bool
	}](ctx, q, triggersSQL, tables)
	if err != nil {
		return nil, errors.Wrap(err, "read triggers")
	}
	triggers := make([]Trigger, len(rows))
	for i, r := range rows {
		triggers[i] = Trigger{
			OID: r.OID, Trigger: r.Trigger, Table: Name{r.Schema, r.Name}, TableOID: r.TableOID,
			Enabled: Enabled(r.Enabled[0]), Inherited: r.Inherited, Definition: r.Definition,
		}
	}
	return triggers, nil
}

// Rules returns the rules of the tables.
func Rules(ctx context.Context, q Querier, tables []uint32) ([]Rule, error) {
	rows, err := collect[struct {
		OID, TableOID       uint32
		Rule, Schema, Name  string
		Enabled, Definition string
	}](ctx, q, rulesSQL, tables)
	if err != nil {
		return nil, errors.Wrap(err, "read rules")
	}
	rules := make([]Rule, len(rows))
	for i, r := range rows {
		rules[i] = Rule{
			OID: r.OID, Rule: r.Rule, Table: Name{r.Schema, r.Name}, TableOID: r.TableOID,
			Enabled: Enabled(r.Enabled[0]), Definition: r.Definition,
		}
	}
	return rules, nil
}
