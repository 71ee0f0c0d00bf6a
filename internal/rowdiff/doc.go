// Package rowdiff compares two databases that nobody writes to, table by table,
// every row of both: rows are multisets of text, columns are matched by name.
//
// It decides by the count and a sum of hashes that each side computes by itself,
// and reads rows only of tables that differ, to show the first that do. It is
// the judge of tests and of the demo, so it shares no code with what moves rows or
// verifies them (see validate/rows).
package rowdiff
