// Package workload makes a database busy the way real applications do, and
// brings a schema with everything that makes a migration hard.
//
// A [Generator] reads the catalog and then changes random rows from several
// sessions at once: keys, values that stay in TOAST, unique values that move
// between rows, savepoints, aborts, tiny and large transactions. Whatever it
// writes is valid for the schema, or fails with an integrity violation that it
// counts and rolls back.
package workload
