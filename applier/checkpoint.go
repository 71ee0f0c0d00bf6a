package applier

import (
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/decoder"
)

// ErrFenced marks the error of a Checkpointer that finds its checkpoint taken
// over: another instance applies this migration now, and this one must stop.
var ErrFenced = errors.New("taken over by another instance")

// Checkpointer records progress on the target. Every lane calls it in a goroutine of
// its own, with its own connection.
type Checkpointer interface {
	// Save queues what records, in the transaction that is open then, that everything of the
	// lane c.Lane up to c.EndLSN is contained. COMMIT follows in the same round trip: what
	// is queued must neither commit nor roll back, and where another instance took over
	// it must fail on the target, and the batch with it with ErrFenced.
	Save(batch *pgx.Batch, c Checkpoint)
}

// Checkpoint is what a target transaction contains of the source.
type Checkpoint struct {
	// Lane is the number of the lane, from 0. Lanes have checkpoints of their own.
	Lane int
	// EndLSN is where a restart resumes: everything that committed before it is contained.
	EndLSN decoder.LSN
	// CommitLSN and CommitTime are those of the last contained transaction that
	// this Run applied; zero when there was none.
	CommitLSN  decoder.LSN
	CommitTime time.Time
	// Transactions and Changes count what was applied since the lane's last checkpoint.
	// Lane 0 counts the transactions of all.
	Transactions int64
	Changes      int64
	// Missed counts, since the last checkpoint, what found no row on the target.
	Missed []Missed
}

// Missed counts the updates and deletes of one table that found no row to change.
type Missed struct {
	// Namespace and Name are the table's on the source.
	Namespace string
	Name      string
	Updates   int64
	Deletes   int64
}
