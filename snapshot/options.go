package snapshot

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// Options says where Run copies from and to. Source, Target and Ledger are
// required.
type Options struct {
	// Source opens an ordinary connection to the source, with the settings that
	// shape text pinned. Run closes it.
	Source func(ctx context.Context) (*pgx.Conn, error)
	// Target opens an ordinary connection to the target, with the same settings.
	// Run closes it.
	Target func(ctx context.Context) (*pgx.Conn, error)
	// SnapshotName is an exported snapshot of the source, whose exporter must live
	// until Imported is called. Default: Run exports one itself.
	SnapshotName string
	// Imported is called once, when every connection has imported the snapshot and
	// its exporter may go. It is not called when Run fails before. May be nil.
	Imported func()
	// Ledger records what has been copied.
	Ledger Ledger
	// Jobs is the number of tables copied at the same time, with a connection on
	// each side for each. Default: the number of CPUs, at most 8.
	Jobs int
	// Progress is called while tables are copied, from several goroutines at once,
	// and must be quick. May be nil.
	Progress func(Progress)
	// Logger gets one line per table. Default: none.
	Logger *slog.Logger
}

// Ledger records copied tables on the target. Both methods are called inside the
// target transaction that copies the table, by several goroutines at once, each
// with its own connection; an error rolls the transaction back and ends the run.
type Ledger interface {
	// Begin is called before anything is written to the table. It should lock the
	// table's entry, so that an unfinished transaction of an earlier run is waited
	// for, and return ErrCopied when there is nothing left to do.
	Begin(ctx context.Context, target *pgx.Conn, t *Table) error
	// Done is called after the last row; the commit follows it.
	Done(ctx context.Context, target *pgx.Conn, t *Table, r Result) error
}

// Result is what the copy of one table moved.
type Result struct {
	Rows int64
	// Bytes counts the data in COPY's format, without protocol overhead.
	Bytes   int64
	Elapsed time.Duration
}

// State is how far a table is.
type State int

// The states of a table, in the order in which they are reported.
const (
	Started State = iota
	Copying
	Done // its transaction has committed
)

// Progress is one report about one table.
type Progress struct {
	Table *Table
	State State
	// Result holds what was moved so far; Rows is known only when State is Done.
	Result Result
}

const maxDefaultJobs = 8

func (o *Options) withDefaults() (Options, error) {
	p := *o
	var err error
	if p.Source == nil {
		err = errors.Join(err, errors.New("snapshot: Options.Source is nil"))
	}
	if p.Target == nil {
		err = errors.Join(err, errors.New("snapshot: Options.Target is nil"))
	}
	if p.Ledger == nil {
		err = errors.Join(err, errors.New("snapshot: Options.Ledger is nil"))
	}
	if p.Jobs < 0 {
		err = errors.Join(err, errors.Newf("snapshot: Options.Jobs is %d", p.Jobs))
	}
	if p.Jobs == 0 {
		p.Jobs = min(runtime.NumCPU(), maxDefaultJobs)
	}
	if p.Imported == nil {
		p.Imported = func() {}
	}
	if p.Progress == nil {
		p.Progress = func(Progress) {}
	}
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	return p, err
}
