package target

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// Verification is the last verification of a migration.
type Verification struct {
	// Choice names what it compares: only one of the same choice is gone on with.
	Choice     string
	StartedAt  time.Time
	FinishedAt time.Time // zero while it runs, or was killed
	// Equal and LSN are those of a finished one; LSN is that of the newest verdict.
	Equal bool
	LSN   pglogrepl.LSN
}

// Verdict is what a verification found about one table, in whatever form its owner keeps it.
type Verdict struct {
	Namespace, Name string
	LSN             pglogrepl.LSN
	JSON            []byte
}

// LastVerification reads the last verification; nil when there was none.
func LastVerification(ctx context.Context, conn *pgx.Conn, migration string) (*Verification, error) {
	var v Verification
	var finished *time.Time
	var lsn string
	err := conn.QueryRow(ctx, `
		SELECT choice, started_at, finished_at, coalesce(equal, false), coalesce(lsn, '0/0')::text
		FROM walferry.verification WHERE migration = $1`, migration).Scan(&v.Choice, &v.StartedAt, &finished, &v.Equal, &lsn)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		v.LSN, err = pglogrepl.ParseLSN(lsn)
	}
	if finished != nil {
		v.FinishedAt = *finished
	}
	return &v, errors.Wrapf(err, "read the last verification of migration %q on the target", migration)
}

// StartVerification begins a new verification and forgets the last one.
func StartVerification(ctx context.Context, conn *pgx.Conn, migration, choice string) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM walferry.verification WHERE migration = $1`, migration); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO walferry.verification (migration, choice) VALUES ($1, $2)`, migration, choice)
		return err
	})
	return errors.Wrapf(err, "record a verification of migration %q on the target", migration)
}

// AddVerdict records what was found about a table.
func AddVerdict(ctx context.Context, conn *pgx.Conn, migration string, v Verdict) error {
	_, err := conn.Exec(ctx, `
		INSERT INTO walferry.verdict (migration, namespace, name, lsn, verdict) VALUES ($1, $2, $3, $4::text::pg_lsn, $5)
		ON CONFLICT (migration, namespace, name) DO UPDATE SET lsn = excluded.lsn, verdict = excluded.verdict, verified_at = excluded.verified_at`,
		migration, v.Namespace, v.Name, v.LSN.String(), string(v.JSON))
	return errors.Wrapf(err, "record the verdict about table %s.%s on the target", v.Namespace, v.Name)
}

// Verdicts reads what the last verification has found, by name.
func Verdicts(ctx context.Context, conn *pgx.Conn, migration string) ([]Verdict, error) {
	rows, err := conn.Query(ctx, `
		SELECT namespace, name, lsn::text, verdict FROM walferry.verdict WHERE migration = $1 ORDER BY namespace, name`, migration)
	if err != nil {
		return nil, errors.Wrap(err, "read verdicts on the target")
	}
	verdicts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Verdict, err error) {
		var lsn string
		if err = row.Scan(&v.Namespace, &v.Name, &lsn, &v.JSON); err == nil {
			v.LSN, err = pglogrepl.ParseLSN(lsn)
		}
		return v, err
	})
	return verdicts, errors.Wrap(err, "read verdicts on the target")
}

// FinishVerification records the answer.
func FinishVerification(ctx context.Context, conn *pgx.Conn, migration string, equal bool, lsn pglogrepl.LSN) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry.verification SET finished_at = pg_catalog.clock_timestamp(), equal = $2, lsn = $3::text::pg_lsn
		WHERE migration = $1`, migration, equal, lsn.String())
	return errors.Wrapf(err, "record the verification of migration %q on the target", migration)
}

// verifyClass is the first key of the advisory locks of verifications.
const verifyClass = lockClass + 1

// LockVerification makes this session the only one that verifies the migration.
func LockVerification(ctx context.Context, conn *pgx.Conn, migration string, wait time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errors.WithHint(
		errors.Newf("migration %q is already being verified", migration), "wait for the other walferry verify, or stop it"))
	defer cancel()
	for {
		var got bool
		err := conn.QueryRow(ctx, `SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext($2))`, verifyClass, migration).Scan(&got)
		if err == nil && got {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return errors.Wrapf(err, "lock the verification of migration %q on the target", migration)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
