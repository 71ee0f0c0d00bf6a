// Package rows answers whether two databases hold the same rows. Both are read in
// snapshots that the caller chose; the servers hash and add up, and only rows that
// differ are looked at one by one.
//
// A row is the text of its record as the server prints it, so NULL and ” differ, and
// 1.0 and 1.00, and trailing blanks. Each side reads a table once, in the order of its
// pages, and sums two 64-bit hashes of every row in one of 4096 buckets that the hash
// itself chooses. The sums need no order: neither collations, nor the order of columns,
// nor where a row lies matter. A row that differs makes its buckets differ, on both
// sides; of those only, the rows are read again, sorted by key, and merged.
//
// No lock outlives the reading of one part of a table, so a TRUNCATE or ALTER TABLE
// waits no longer than that. A snapshot does not protect against those: a table that
// was rewritten since the snapshot is found out by its file's number, and left for
// another snapshot.
package rows
