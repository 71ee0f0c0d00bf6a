package engine

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/status"
)

// Errors that a caller answers differently.
var (
	// ErrBlocked marks that preflight found something that stops the migration; nothing was changed.
	ErrBlocked = errors.New("preflight found what blocks the migration")
	// ErrDiffer marks that source and target do not hold the same rows.
	ErrDiffer = errors.New("source and target differ")
	// ErrStopped marks a run that was asked to stop and saved its progress.
	ErrStopped = errors.New("stopped; run the same command again to resume")
)

// Switch is a setting that walferry decides by itself unless told.
type Switch string

// The positions of a switch.
const (
	Auto Switch = "auto"
	On   Switch = "on"
	Off  Switch = "off"
)

// NotEmpty says what to do with target tables that hold rows before the copy.
type NotEmpty string

// The answers to tables that are not empty.
const (
	Refuse        NotEmpty = "refuse"
	Append        NotEmpty = "append"
	TruncateFirst NotEmpty = "truncate"
)

// Method is how the data moves.
type Method string

// The methods: auto takes replication where preflight allows it, else dump.
const (
	MethodAuto        Method = "auto"
	MethodReplication Method = "replication"
	MethodDump        Method = "dump"
)

// Connection is what every command needs.
type Connection struct {
	Source, Target *conninfo.Info
	// Name is the migration's name. Default: "default".
	Name   string
	Logger *slog.Logger
	// Stop, when closed, asks the run to drain and save. A cancelled context aborts.
	Stop <-chan struct{}
	// Progress is called a few times a second, by one goroutine at a time; nil means nobody asks.
	Progress func(status.Progress)
}

// StreamOptions say how changes are received and applied.
type StreamOptions struct {
	Slot         string
	Publications []string
	// Binary sends values in their types' send format. Auto: where every published
	// type means the same on both sides.
	Binary Switch
	// Streaming sends large transactions while they run, to be kept here until they
	// commit. Auto: no; the source keeps them, and they flow without being kept.
	Streaming    Switch
	OnMissingRow applier.MissingRowPolicy
	// ApplyJobs is the number of lanes: how many connections apply at once. With more
	// than one, readers of the target may see a source transaction in parts. Default: 1.
	ApplyJobs int
	// RetryFor is how long a lost connection is retried. Default: 10 minutes.
	RetryFor time.Duration
	// StartLSN is where to begin when the target has no checkpoint. Default: the slot's confirmed position.
	StartLSN decoder.LSN
	// EndLSN ends the run once every transaction that commits at or before it is durable. Default: none.
	EndLSN decoder.LSN
	// CreateSlot creates the slot of `stream` unless it exists.
	CreateSlot bool
	// SpillDir is where transactions that do not fit into memory wait. Default: the system's.
	SpillDir string
}

// MigrateOptions say what a migration moves and when it ends.
type MigrateOptions struct {
	Connection
	StreamOptions

	Filter   catalog.Filter
	Method   Method
	NoSchema bool
	NoOwner  bool
	// Databases are the databases to move, AllDatabases says all, less
	// ExcludeDatabases. Default: that of the source's connection string, into that of
	// the target's.
	Databases, ExcludeDatabases []string
	AllDatabases                bool
	// NoCreateDatabase leaves it to others to make databases on the target.
	NoCreateDatabase bool
	// group is what the runs of several databases share; nil for one.
	group *group

	// NoRoles leaves out the roles of the source's cluster, ExcludeRoles those of
	// them. RolePasswords are given to roles instead of their own.
	NoRoles       bool
	ExcludeRoles  []string
	RolePasswords map[string]string
	// ShowPassword is told the random passwords of roles whose own could not be
	// read; nil means that nobody may see them.
	ShowPassword func(role, password string)
	// NoExtensions leaves out extensions, ExcludeExtensions those of them.
	NoExtensions      bool
	ExcludeExtensions []string
	// NoLargeObjects leaves large objects out.
	NoLargeObjects bool
	PGBin          string
	// Jobs is how many tables are copied and indexes built at once. Default: the number of CPUs, at most 8.
	Jobs int
	// ChunkBytes is the size of the chunks that larger tables are copied in. Default: by the
	// size of the table.
	ChunkBytes int64
	IfNotEmpty NotEmpty
	// MaxTotalBytes lets preflight block when the chosen tables are larger. Default: no bound.
	MaxTotalBytes int64
	// Measure is how long preflight reads the largest table and watches the source's
	// WAL. Default: not at all.
	Measure time.Duration
	// MaxReplicationLag ends the run once all is copied and what is applied is
	// within this many bytes of the source's position; nil means never.
	MaxReplicationLag *int64
	// StopReplication then drains, sets sequences, restores what was held back and drops the replication objects.
	StopReplication bool
	// DryRun ends after preflight.
	DryRun bool
}

func (o *MigrateOptions) setDefaults() {
	o.Connection.setDefaults()
	o.StreamOptions.setDefaults()
	if o.Jobs <= 0 {
		o.Jobs = min(runtime.NumCPU(), 8)
	}
	if o.Method == "" {
		o.Method = MethodAuto
	}
	if o.IfNotEmpty == "" {
		o.IfNotEmpty = Refuse
	}
}

func (o *Connection) setDefaults() {
	if o.Name == "" {
		o.Name = "default"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(status.Progress) {}
	}
}

func (o *StreamOptions) setDefaults() {
	if o.Binary == "" {
		o.Binary = Auto
	}
	if o.ApplyJobs <= 0 {
		o.ApplyJobs = 1
	}
	if o.Streaming == "" {
		o.Streaming = Auto
	}
	if o.RetryFor == 0 {
		o.RetryFor = 10 * time.Minute
	}
}
