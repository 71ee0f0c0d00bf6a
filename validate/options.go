package validate

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// NotEmpty says what will be done with target tables that hold rows.
type NotEmpty string

// The answers to target tables that hold rows. The empty string means Refuse.
const (
	Refuse   NotEmpty = "refuse"
	Append   NotEmpty = "append"
	Truncate NotEmpty = "truncate"
)

// PreflightOptions describe the migration that is asked about. Source and Target
// are required; the zero value of all else is a migration of the whole database
// by replication.
type PreflightOptions struct {
	// Source and Target are ordinary connections outside of a transaction, with
	// an empty search_path. Preflight uses them one at a time and leaves them as
	// they were.
	Source, Target *pgx.Conn
	// CopyOnly says that no slot and no publication are needed.
	CopyOnly bool
	// Tables and Schemas choose what moves by psql patterns, the others exclude.
	// Default: everything.
	Tables, ExcludeTables, Schemas, ExcludeSchemas []string
	// Publications are existing publications to use instead of a new one. What
	// they publish is then what moves, and the patterns mean nothing.
	Publications []string
	// Slot and NewPublications are names of objects that will be created on the
	// source and must be free. Names that are empty are not asked for.
	Slot            string
	NewPublications []string
	// Resuming says that the migration has begun: its objects exist, and rows on
	// the target are its own.
	Resuming bool
	// NoSchema says that the tables must already exist on the target.
	NoSchema bool
	// IfNotEmpty says what will be done with rows that are already on the target.
	IfNotEmpty NotEmpty
	// MaxTotalBytes bounds the size of the chosen tables. 0 means no bound.
	MaxTotalBytes int64
	// ConnectReplication opens and closes a replication connection to the source.
	// Nil skips that check.
	ConnectReplication func(ctx context.Context) error
}
