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
	// Ledger records what has been copied. Large tables are copied in chunks when it is a
	// ChunkLedger.
	Ledger Ledger
	// Jobs is the number of tables or chunks copied at the same time, with a connection
	// on each side for each. Default: the number of CPUs, at most 8.
	Jobs int
	// ChunkBytes is the size, on the source's disk, of the chunks that larger tables are
	// copied in. Default: 16 MiB to 1 GiB, by the table's size and Jobs, for tables
	// from 64 MiB on.
	ChunkBytes int64
	// RetryFor bounds how long a lost target is waited for while the snapshot lives; what
	// is committed is not copied again. Negative: not at all. Default: 10 minutes.
	RetryFor time.Duration
	// Progress is called while tables are copied, from several goroutines at once,
	// and must be quick. May be nil.
	Progress func(Progress)
	// Logger gets one line per table. Default: none.
	Logger *slog.Logger
}

// Ledger records copied tables on the target. All methods are called inside of a
// target transaction, by several goroutines at once, each with its own connection;
// an error rolls the transaction back and ends the run, unless it is one that passes
// by itself: then the transaction is repeated on another connection.
type Ledger interface {
	// Begin is called before anything is written to the table, in the transaction that
	// copies it. It should lock the table's entry, so that an unfinished transaction of an
	// earlier run is waited for, and return ErrCopied when there is nothing left to do.
	Begin(ctx context.Context, target *pgx.Conn, t *Table) error
	// Done is called when the table is complete: after its last row, or, for one in
	// chunks, in a transaction after the last of them. The commit follows it.
	Done(ctx context.Context, target *pgx.Conn, t *Table, r Result) error
}

// ChunkLedger is a Ledger that also records parts of tables. With any other, tables
// are copied as a whole.
type ChunkLedger interface {
	Ledger
	// BeginChunks is called instead of Begin: for a table that will be copied in chunks,
	// in a transaction before those of the chunks, or with zero for one that is copied
	// as a whole. It has to forget the chunks of earlier runs. With leftover, the table
	// is emptied first: it holds such chunks, which came from another snapshot.
	BeginChunks(ctx context.Context, target *pgx.Conn, t *Table, chunks int) (leftover bool, err error)
	// BeginChunk is called before a chunk is written, in its transaction. It must fail
	// when another run has begun the table since, and until its transaction has ended
	// no other may. ErrCopied says that the chunk's commit was not seen, but happened.
	BeginChunk(ctx context.Context, target *pgx.Conn, t *Table, chunk int) error
	// ChunkDone is called after the last row of a chunk; the commit follows it.
	ChunkDone(ctx context.Context, target *pgx.Conn, t *Table, chunk int, r Result) error
}

// wholeLedger lets a Ledger be asked for chunks: there are none.
type wholeLedger struct{ Ledger }

func (l wholeLedger) BeginChunks(ctx context.Context, target *pgx.Conn, t *Table, _ int) (bool, error) {
	return false, l.Begin(ctx, target, t)
}

func (wholeLedger) BeginChunk(context.Context, *pgx.Conn, *Table, int) error {
	return errors.AssertionFailedf("a chunk was begun without a ledger for it")
}

func (wholeLedger) ChunkDone(context.Context, *pgx.Conn, *Table, int, Result) error {
	return errors.AssertionFailedf("a chunk was copied without a ledger for it")
}

// Result is what the copy of one table, or one chunk, moved.
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
	Planned State = iota // its size is known
	Started
	Copying
	Done // all of it has committed
)

// Progress is one report about one table.
type Progress struct {
	Table *Table
	State State
	// Result holds what was moved so far, of all chunks. Rows are those that are
	// committed. It may take steps back, when a chunk has to be repeated.
	Result Result
	// Committed are the bytes of what is committed.
	Committed int64
	// Chunks is how many chunks the table has, at least one, and ChunksDone how many of
	// them are committed.
	Chunks, ChunksDone int
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
	if p.ChunkBytes < 0 {
		err = errors.Join(err, errors.Newf("snapshot: Options.ChunkBytes is %d", p.ChunkBytes))
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
