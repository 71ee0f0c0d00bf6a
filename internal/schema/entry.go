package schema

import "strconv"

// Stage says when an entry runs.
type Stage string

// The stages, in order.
const (
	// PreData is what rows need: schemas, types, functions, tables, sequences,
	// views, defaults, grants.
	PreData Stage = "pre-data"
	// Index is what finds and checks rows within one table: keys, unique and
	// exclusion constraints, indexes, statistics objects, and views that need a key.
	Index Stage = "index"
	// Finish is what acts on changes or looks across tables: foreign keys,
	// triggers, rules, policies, publications, filled materialized views.
	Finish Stage = "finish"
)

// rank orders stages.
func (s Stage) rank() int {
	switch s {
	case PreData:
		return 0
	case Index:
		return 1
	case Finish:
		return 2
	}
	return -1
}

// Entry is one definition. It can run in a transaction of its own, on any
// connection, once the entries that it depends on have run.
type Entry struct {
	// ID is the entry's number in the dump, which Dependencies name. It is not
	// the order in which entries run: that is their order in the slice.
	ID int32
	// Kind is pg_dump's word: TABLE, CONSTRAINT, FK CONSTRAINT, INDEX ATTACH, …
	Kind string
	// Schema is empty for what lives in no schema. Name is pg_dump's tag: the
	// name, with arguments for a function, after its table's for a constraint or
	// trigger. Both are unquoted and for people, not for SQL.
	Schema, Name string
	// Owner is empty for what has no owner.
	Owner string
	// SQL holds one or more statements, OwnerSQL none or one.
	SQL, OwnerSQL string
	// Dependencies may name entries that are not among the dump's.
	Dependencies []int32
	Stage        Stage
}

// Object names the entry in messages, on one line: `TABLE "app.orders"`.
func (e *Entry) Object() string {
	name := e.Name
	if e.Schema != "" {
		name = e.Schema + "." + name
	}
	return e.Kind + " " + strconv.Quote(name)
}

// LeftOut is an object of the source that no entry stands for.
type LeftOut struct {
	Kind, Schema, Name string
	// Reason is a clause: "subscriptions are not moved".
	Reason string
}
