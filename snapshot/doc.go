// Package snapshot copies tables from one consistent snapshot of the source into
// existing tables of the target.
//
// Run opens a few connections on each side. Every source connection imports the
// same exported snapshot, so all tables show one moment, however long the copy
// takes. The bytes of a COPY TO STDOUT go into a COPY FROM STDIN as they are:
// nothing is parsed, converted or kept, and memory does not grow with the data.
//
// A table's rows and its Ledger entry are written by one target transaction.
// After a crash a table is therefore copied and recorded, or untouched, and the
// tables that the ledger lists need not be copied again.
//
// An exported snapshot cannot be opened again once the transaction that exported
// it and all that imported it are gone: Run then returns ErrSnapshotLost. The
// caller continues with a new snapshot and remembers its consistent point as the
// watermark of the tables copied from it; docs/design/handoff.md has the rule.
//
// The package creates no tables, decides nothing about which tables to copy, and
// touches no slot.
package snapshot
