package applier

import (
	"context"
	"log/slog"
	"slices"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/decoder"
)

// Options configures an Applier. Connect and Checkpoint are required.
type Options struct {
	// Connect opens a target connection that is ready to write: session settings
	// pinned, triggers and foreign keys out of the way. Run calls it once for each
	// lane, at the same time, and closes what it returned.
	Connect func(ctx context.Context) (*pgx.Conn, error)

	// Checkpoint records progress in the transactions that hold the rows.
	Checkpoint Checkpointer

	// Start is where the checkpoint on the target stands: everything that committed
	// before it is contained. Transactions before it are dropped, should the stream
	// repeat them, and the checkpoint never goes back behind it.
	Start decoder.LSN

	// Lanes is how many connections write at once, each the tables of its own in its
	// own transactions: a reader of the target may see a part of a source
	// transaction earlier than the rest, unless there is one lane. Default: 1.
	Lanes int

	// LaneStarts is Start for each lane, where their checkpoints differ; Start is the
	// least of them then. The tables must be in the lanes that they were in.
	LaneStarts []decoder.LSN

	// Table decides what happens to the changes of a relation. It is called by
	// Run's goroutines, one at a time, once per definition of a relation. Default:
	// every table is applied from the start under its own name, in lane 0.
	Table func(ctx context.Context, relation *decoder.Relation) (Route, error)

	// MaxBatchBytes bounds what one batch holds in memory; two batches exist, whatever
	// the number of lanes. A transaction that is larger is written in pieces. Default: 16 MiB.
	MaxBatchBytes int

	// OnMissingRow says what happens when an UPDATE or DELETE finds no row.
	// Default: MissingRowCount.
	OnMissingRow MissingRowPolicy

	// Logger gets changes of state, never rows. Default: nothing is logged.
	Logger *slog.Logger
}

// Route says where the changes of one relation go.
type Route struct {
	// Skip drops all changes of the relation.
	Skip bool
	// Watermark drops the changes of transactions with CommitLSN < Watermark:
	// they are in the rows that were copied.
	Watermark decoder.LSN
	// Namespace and Name are the target table's. Default: the relation's.
	Namespace string
	Name      string
	// Lane is the lane that writes the table, modulo Options.Lanes. What depends on
	// each other on the target must share one: tables that foreign keys tie, since
	// TRUNCATE refuses one of them alone even where foreign keys do not act, and
	// relations that go to one table.
	Lane int
	// Split spreads the rows of the table over all lanes instead, by the hash of these
	// columns, which are the target's primary key and the relation's replica identity.
	// Nothing else of the target may depend on the order in which different rows are
	// written: no other unique or exclusion index, no foreign key, no trigger. The
	// columns are integers, text, varchar or uuid. See [UnsplitError].
	Split []string
}

// MissingRowPolicy says what an UPDATE or DELETE does that finds no row on the target.
type MissingRowPolicy int

const (
	// MissingRowCount goes on and counts the change in Checkpoint.Missed.
	MissingRowCount MissingRowPolicy = iota
	// MissingRowStop ends Run with an error; nothing of the batch stays.
	MissingRowStop
)

const (
	defaultBatchBytes = 16 << 20
	// largestBatchBytes keeps offsets into a batch within 32 bits, whatever single
	// message of up to 1 GiB comes last.
	largestBatchBytes = 1 << 30
	// mostLanes is far more than a target has use for.
	mostLanes = 1000
)

// withDefaults returns the options with every default filled in.
func (o Options) withDefaults() Options {
	if o.MaxBatchBytes == 0 {
		o.MaxBatchBytes = defaultBatchBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Lanes == 0 {
		o.Lanes = 1
	}
	if len(o.LaneStarts) > 0 {
		o.Start = slices.Min(o.LaneStarts)
	}
	if o.Table == nil {
		o.Table = func(context.Context, *decoder.Relation) (Route, error) { return Route{}, nil }
	}
	return o
}

func (o Options) validate() error {
	var problems []error
	if o.Connect == nil {
		problems = append(problems, errors.New("applier: Options.Connect is missing"))
	}
	if o.Checkpoint == nil {
		problems = append(problems, errors.New("applier: Options.Checkpoint is missing"))
	}
	if o.MaxBatchBytes < 0 || o.MaxBatchBytes > largestBatchBytes {
		problems = append(problems, errors.Newf("applier: Options.MaxBatchBytes is %d, not within 1 and %d",
			errors.Safe(o.MaxBatchBytes), errors.Safe(largestBatchBytes)))
	}
	if o.Lanes < 0 || o.Lanes > mostLanes {
		problems = append(problems, errors.Newf("applier: Options.Lanes is %d, not within 1 and %d", errors.Safe(o.Lanes), errors.Safe(mostLanes)))
	}
	if n := len(o.LaneStarts); n > 0 && n != o.Lanes {
		problems = append(problems, errors.Newf("applier: Options.LaneStarts has %d positions for %d lanes", errors.Safe(n), errors.Safe(o.Lanes)))
	}
	return errors.Join(problems...)
}

// start is where the checkpoint of a lane stands.
func (o Options) start(lane int) decoder.LSN {
	if lane < len(o.LaneStarts) {
		return o.LaneStarts[lane]
	}
	return o.Start
}
