package validate

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// NotEmpty says what will be done with target tables that hold rows.
type NotEmpty string

// The answers to target tables that hold rows. The empty string means Refuse.
const (
	Refuse   NotEmpty = "refuse"
	Append   NotEmpty = "append"
	Truncate NotEmpty = "truncate"
)

// Method is how the data moves. The empty string means Replication.
type Method string

// The methods. Auto is replication, or where something stands against that only, a
// dump: one consistent copy without a slot.
const (
	Auto        Method = "auto"
	Replication Method = "replication"
	Dump        Method = "dump"
)

// PreflightOptions describe the migration that is asked about. Source and Target
// are required, or the errors that stand for them; the zero value of all else is a
// migration of the whole database by replication.
type PreflightOptions struct {
	// Source and Target are ordinary connections outside of a transaction, with
	// an empty search_path. Preflight uses them one at a time and leaves them as
	// they were.
	Source, Target *pgx.Conn
	// SourceError and TargetError say why there is no connection. They become
	// findings, with their details and hints, and what can be asked of the other
	// side alone is asked.
	SourceError, TargetError error
	// TargetAbsent says that the target's database, TargetDatabase, will be created:
	// Target is connected to another one, of which nothing is asked.
	TargetAbsent   bool
	TargetDatabase string
	Method         Method
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
	// NoSchema says that the tables must already exist on the target, NoOwner that
	// what is created there belongs to the role that connects.
	NoSchema, NoOwner bool
	// NoRoles and ExcludeRoles name roles that are not created.
	NoRoles      bool
	ExcludeRoles []string
	// NoExtensions and ExcludeExtensions name extensions that are not created.
	NoExtensions      bool
	ExcludeExtensions []string
	// NoLargeObjects says that large objects are left out.
	NoLargeObjects bool
	// IfNotEmpty says what will be done with rows that are already on the target.
	IfNotEmpty NotEmpty
	// MaxTotalBytes bounds the size of the chosen tables. 0 means no bound.
	MaxTotalBytes int64
	// Jobs is how many tables are copied at once, ApplyJobs how many connections
	// apply changes. 0 means 1.
	Jobs, ApplyJobs int
	// Measure is how long to read the largest table for an estimate of the copy's
	// time. 0 means not at all.
	Measure time.Duration
	// ConnectReplication opens a replication connection to the source, which
	// Preflight closes. Nil skips the checks that need one.
	ConnectReplication func(ctx context.Context) (*pgconn.PgConn, error)
	// FindPrograms looks for a pg_dump that can read a source of that major
	// version. Nil skips the check.
	FindPrograms func(ctx context.Context, sourceMajor int) error
}
