// Package demo shows a live migration between two throw-away servers: it loads
// a schema with everything that makes a migration hard, keeps writing to it,
// migrates it with the engine that `walferry migrate` runs, and compares both
// sides row by row.
//
// The migration connects as an ordinary role that owns the database, a superuser
// on neither side, because that is what most services give.
package demo
