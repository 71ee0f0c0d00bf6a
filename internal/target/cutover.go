package target

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/applier"
)

// StepState is how a step of a cutover went.
type StepState string

// The states of a step.
const (
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
)

// Step is a recorded step of a cutover.
type Step struct {
	Name      string
	State     StepState
	Detail    string
	StartedAt time.Time
	Seconds   float64
}

// FenceStatement closes the source in part; Open takes that back.
type FenceStatement struct{ Close, Open string }

// AskHandover asks the instance at work to let go of the migration.
func AskHandover(ctx context.Context, conn Execer, name, by string) error {
	_, err := conn.Exec(ctx, `UPDATE walferry.migration SET handover = $2 WHERE name = $1`, name, by)
	return errors.Wrapf(err, "ask for migration %q on the target", name)
}

// HandoverAsked says who asks the instance at work to let go; empty when nobody does.
func HandoverAsked(ctx context.Context, conn *pgx.Conn, name string) (by string, err error) {
	err = conn.QueryRow(ctx, `SELECT handover FROM walferry.migration WHERE name = $1`, name).Scan(&by)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return by, errors.Wrapf(err, "read migration %q from the target", name)
}

// SaveStep records how a step goes.
func SaveStep(ctx context.Context, conn Execer, migration string, ord int, s Step) error {
	_, err := conn.Exec(ctx, `
		INSERT INTO walferry.step (migration, ord, name, state, detail, started_at, seconds)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (migration, name) DO UPDATE SET ord = $2, state = $4, detail = $5, started_at = $6, seconds = $7`,
		migration, ord, s.Name, s.State, s.Detail, s.StartedAt, s.Seconds)
	return errors.Wrapf(err, "record step %s of the cutover on the target", s.Name)
}

// ForgetSteps forgets what an earlier cutover recorded, before a new one begins.
func ForgetSteps(ctx context.Context, conn Execer, migration string) error {
	_, err := conn.Exec(ctx, `DELETE FROM walferry.step WHERE migration = $1`, migration)
	return errors.Wrap(err, "forget the steps of an earlier cutover on the target")
}

// Steps reads the recorded steps, in order.
func Steps(ctx context.Context, conn *pgx.Conn, migration string) ([]Step, error) {
	rows, err := conn.Query(ctx, `
		SELECT name, state, detail, started_at, seconds FROM walferry.step WHERE migration = $1 ORDER BY ord`, migration)
	if err != nil {
		return nil, errors.Wrap(err, "read the steps of the cutover on the target")
	}
	steps, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Step])
	return steps, errors.Wrap(err, "read the steps of the cutover on the target")
}

// Fence reads the statements that close the source, in order; none when it is open.
func Fence(ctx context.Context, conn *pgx.Conn, migration string) ([]FenceStatement, error) {
	rows, err := conn.Query(ctx, `SELECT close_sql, open_sql FROM walferry.fence WHERE migration = $1 ORDER BY ord`, migration)
	if err != nil {
		return nil, errors.Wrap(err, "read the fence from the target")
	}
	fence, err := pgx.CollectRows(rows, pgx.RowToStructByPos[FenceStatement])
	return fence, errors.Wrap(err, "read the fence from the target")
}

// AddFence records what is about to close the source, durably.
func AddFence(ctx context.Context, conn *pgx.Conn, migration string, fence []FenceStatement) error {
	err := durably(ctx, conn, func(tx pgx.Tx) error {
		for _, f := range fence {
			_, err := tx.Exec(ctx, `
				INSERT INTO walferry.fence (migration, ord, close_sql, open_sql)
				SELECT $1, coalesce(pg_catalog.max(ord), 0) + 1, $2, $3 FROM walferry.fence WHERE migration = $1`,
				migration, f.Close, f.Open)
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE walferry.migration SET fenced_at = coalesce(fenced_at, pg_catalog.clock_timestamp()) WHERE name = $1`, migration)
		return err
	})
	return errors.Wrap(err, "record the fence on the target")
}

// ForgetFence records that the source is open again.
func ForgetFence(ctx context.Context, conn *pgx.Conn, migration string) error {
	err := durably(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM walferry.fence WHERE migration = $1`, migration); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE walferry.migration SET fenced_at = NULL, final_lsn = NULL WHERE name = $1`, migration)
		return err
	})
	return errors.Wrap(err, "record on the target that the source is open")
}

// SaveFinalLSN records the source's position behind which nothing is to be written.
func SaveFinalLSN(ctx context.Context, conn Execer, migration string, lsn pglogrepl.LSN) error {
	_, err := conn.Exec(ctx, `UPDATE walferry.migration SET final_lsn = $2::text::pg_lsn WHERE name = $1`, migration, lsn.String())
	return errors.Wrap(err, "record the final LSN on the target")
}

// Decide records, durably, that the migration has passed the point of no return:
// everything that was applied before is durable with it. An instance that another
// one has replaced cannot decide.
func Decide(ctx context.Context, conn *pgx.Conn, migration string, epoch int64) error {
	err := durably(ctx, conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE walferry.migration SET decided_at = coalesce(decided_at, pg_catalog.clock_timestamp())
			WHERE name = $1 AND epoch = $2`, migration, epoch)
		if err == nil && tag.RowsAffected() != 1 {
			err = errors.Mark(errors.Newf("migration %q was taken over by another instance of walferry", migration), applier.ErrFenced)
		}
		return err
	})
	return errors.Wrap(err, "record the decision on the target")
}

// durably runs f in a transaction whose commit waits for the disk, whatever the
// session's setting is.
func durably(ctx context.Context, conn *pgx.Conn, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = on`); err != nil {
			return err
		}
		return f(tx)
	})
}
