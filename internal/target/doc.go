// Package target keeps what walferry knows of a migration in the target
// database, and prepares the target's sessions for writing.
//
// Everything lives in the schema walferry: one row for the migration, one
// checkpoint row for each lane, a ledger of the tables, and the schema entries
// with their states. Each is written in the same transaction as the effect that
// it records, so a run that is killed at any instant finds the truth here when
// it starts again. Nothing is kept on the machine that runs walferry.
package target
