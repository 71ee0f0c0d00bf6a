package rows

import (
	"context"
	"log/slog"
	"runtime"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// Table is a table to compare. A partitioned one stands for all of its partitions, on
// each side those that it has there; any other for its own rows alone.
type Table struct {
	Namespace, Name string
	// Columns are those to compare, by name. Default: all that the source has,
	// generated ones included. What else the target has is ignored.
	Columns []string
	// Where is an SQL condition, as a publication's row filter is printed. It chooses
	// the rows on both sides. It is trusted. Default: all rows.
	Where string
	// Bytes is the estimated size. Larger tables are compared first.
	Bytes int64
}

// String returns the table's name for people.
func (t *Table) String() string { return t.Namespace + "." + t.Name }

// Verdict is what the comparison of one table found.
type Verdict struct {
	Table *Table
	// Problem says why the rows cannot be compared; empty when they were.
	Problem string
	// SourceRows and TargetRows are exact.
	SourceRows, TargetRows int64
	// Missing, Extra and Changed count the rows that only the source has, that only the
	// target has, and that differ under one key. Without a key a changed row is missing
	// and extra. They are exact.
	Missing, Extra, Changed int64
	// Differences is a bounded sample of those.
	Differences []Difference
}

// Equal reports whether both sides hold the same rows.
func (v *Verdict) Equal() bool { return v.Problem == "" && v.Missing+v.Extra+v.Changed == 0 }

// Kind is what is wrong with a row.
type Kind string

// The kinds of difference.
const (
	Missing Kind = "missing"
	Extra   Kind = "extra"
	Changed Kind = "changed"
)

// Difference is one row that differs.
type Difference struct {
	Kind Kind
	// Key holds the key's values as text, by column; without a key those of all columns
	// (nil is NULL). Long values are cut.
	Key map[string]*string
	// Columns are those that differ, where a row is changed.
	Columns []string
}

// Options says where to compare. Source, Target and Done are required.
type Options struct {
	// Source and Target open connections with the settings that shape text pinned, and
	// a read-only transaction in the snapshot to compare. Run closes them.
	Source, Target func(ctx context.Context) (*pgx.Conn, error)
	// Imported is called once, when all connections are open. May be nil.
	Imported func(ctx context.Context) error
	// Jobs is the number of connections on each side. Default: the number of CPUs, at most 4.
	Jobs int
	// Samples bounds the Differences of a table. Default: 10.
	Samples int
	// Full reports that the snapshots are held for long enough: but for the first, no
	// table is begun then. May be nil.
	Full func() bool
	// Done is called with each verdict, by one goroutine at a time. Its error ends Run.
	Done func(ctx context.Context, v *Verdict) error
	// Progress is called with the pages of both sides that were read and their total, from
	// several goroutines. May be nil.
	Progress func(done, total int64)
	// Logger gets changes of state, never rows. Default: none.
	Logger *slog.Logger
}

const (
	maxDefaultJobs = 4
	defaultSamples = 10
)

func (o *Options) withDefaults() (Options, error) {
	p := *o
	if p.Source == nil || p.Target == nil || p.Done == nil {
		return p, errors.New("rows: Options.Source, Target or Done is nil")
	}
	if p.Jobs <= 0 {
		p.Jobs = min(runtime.NumCPU(), maxDefaultJobs)
	}
	if p.Samples <= 0 {
		p.Samples = defaultSamples
	}
	if p.Imported == nil {
		p.Imported = func(context.Context) error { return nil }
	}
	if p.Full == nil {
		p.Full = func() bool { return false }
	}
	if p.Progress == nil {
		p.Progress = func(int64, int64) {}
	}
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	return p, nil
}
