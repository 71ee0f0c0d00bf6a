// Package schema moves the definitions of a database: pg_dump reads them from
// the source, the target runs them one by one or in groups.
//
// The entries come from the table of contents of pg_dump's archive, where each
// definition stands by itself with its owner and dependencies, so no script has
// to be cut into statements and no text inside of a function can be taken for
// one. Each entry can run alone, in any session that [Prepare] has set up, in one
// of three stages: PreData before the rows, Index after them, Finish when
// nothing is applied anymore.
//
// A definition that the target refuses is an error that names the object and
// shows the statement. The exceptions are listed in tolerated.go: what a target
// role with few rights cannot have and the rows do not need becomes a warning.
// Nothing is left out without being named.
package schema
