package target

import (
	"context"
	"slices"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/applier"
)

// Checkpoint is the recorded progress of one migration: everything that
// committed on the source up to LSN is contained in the target.
type Checkpoint struct {
	// LSN is the least of Lanes.
	LSN pglogrepl.LSN
	// CommitTime is when the source committed the last applied transaction, in the
	// lane where that is earliest; zero before the first.
	CommitTime time.Time
	// Lanes are the LSNs of the lanes, by number.
	Lanes []pglogrepl.LSN
}

// LoadCheckpoint reads the checkpoint; nil when none has been started.
func LoadCheckpoint(ctx context.Context, conn *pgx.Conn, migration string) (*Checkpoint, error) {
	var c Checkpoint
	rows, err := conn.Query(ctx, `
		SELECT lsn::text, commit_time FROM walferry.checkpoint WHERE migration = $1 ORDER BY lane`, migration)
	if err == nil {
		var text string
		var at *time.Time
		_, err = pgx.ForEachRow(rows, []any{&text, &at}, func() error {
			lsn, err := pglogrepl.ParseLSN(text)
			c.Lanes = append(c.Lanes, lsn)
			if at != nil && (c.CommitTime.IsZero() || at.Before(c.CommitTime)) {
				c.CommitTime = *at
			}
			return err
		})
	}
	if err != nil {
		return nil, errors.Wrapf(err, "read the checkpoint of migration %q on the target", migration)
	}
	if len(c.Lanes) == 0 {
		return nil, nil
	}
	c.LSN = slices.Min(c.Lanes)
	return &c, nil
}

// StartCheckpoint records that everything before lsn is on the target, or will be by
// the copy, in one lane.
func StartCheckpoint(ctx context.Context, conn Execer, migration string, epoch int64, lsn pglogrepl.LSN) error {
	_, err := conn.Exec(ctx, `
		INSERT INTO walferry.checkpoint (migration, lane, epoch, lsn, commit_lsn)
		VALUES ($1, 0, $2, $3::text::pg_lsn, '0/0')`, migration, epoch, lsn.String())
	return errors.Wrapf(err, "record the first checkpoint of migration %q", migration)
}

// Checkpointer writes the checkpoints of one run, each lane's into its own row. Its epoch fences: a run that
// another one has replaced finds no row and must not commit.
type Checkpointer struct {
	Migration string
	Epoch     int64
}

var _ applier.Checkpointer = Checkpointer{}

// saveSQL fails where there is nothing to update: the COMMIT that follows it in the
// same round trip must not be reached then.
const saveSQL = `
	WITH saved AS (
		UPDATE walferry.checkpoint
		SET lsn = $4::text::pg_lsn, commit_lsn = greatest(commit_lsn, $5::text::pg_lsn), commit_time = coalesce($6, commit_time),
		    transactions = transactions + $7, changes = changes + $8
		WHERE migration = $1 AND lane = $2 AND epoch = $3
		RETURNING 1)
	SELECT 1 / pg_catalog.count(*) FROM saved`

// divisionByZero is the SQLSTATE of saveSQL's failure.
const divisionByZero = "22012"

// Save implements [applier.Checkpointer].
func (c Checkpointer) Save(batch *pgx.Batch, p applier.Checkpoint) {
	var at *time.Time
	if !p.CommitTime.IsZero() {
		at = &p.CommitTime
	}
	batch.Queue(saveSQL, c.Migration, p.Lane, c.Epoch, p.EndLSN.String(), p.CommitLSN.String(), at, p.Transactions, p.Changes).
		Fn = func(results pgx.BatchResults) error {
		_, err := results.Exec()
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && pgErr.Code == divisionByZero {
			err = errors.Newf("migration %q was taken over by another instance of walferry", c.Migration)
			return errors.Mark(err, applier.ErrFenced)
		}
		return errors.Wrapf(err, "write the checkpoint %s", errors.Safe(p.EndLSN))
	}
	for _, m := range p.Missed {
		batch.Queue(`
			UPDATE walferry."table" SET missed_updates = missed_updates + $4, missed_deletes = missed_deletes + $5
			WHERE migration = $1 AND namespace = $2 AND name = $3`,
			c.Migration, m.Namespace, m.Name, m.Updates, m.Deletes)
	}
}
