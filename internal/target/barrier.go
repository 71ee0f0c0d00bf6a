package target

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// BarrierState is how far a barrier has come.
type BarrierState string

// The states of a barrier. The first, third and its end are verify's to say, the others
// the run's.
const (
	BarrierAsked   BarrierState = "asked"
	BarrierHeld    BarrierState = "held"    // the run keeps to the gate
	BarrierSet     BarrierState = "set"     // the LSN is known
	BarrierReached BarrierState = "reached" // the snapshot of the target is exported
	BarrierFailed  BarrierState = "failed"
)

// A barrier whose verify is silent for barrierSilence, or whose gate stands for
// BarrierPatience, stops no run anymore.
const (
	barrierSilence  = 10 * time.Second
	BarrierPatience = 20 * time.Second
)

// Barrier is a point of the source's stream at which verify wants the target's snapshot.
type Barrier struct {
	ID    string
	State BarrierState
	// Gate: what commits at or behind it is not to be applied yet. LSN, once known, is
	// the point, and the gate.
	Gate, LSN pglogrepl.LSN
	Snapshot  string
	Message   string
	// Stuck reports that the gate has stood for too long.
	Stuck bool
}

// ReadBarrier reads the barrier of a migration; nil when there is none whose verify lives.
func ReadBarrier(ctx context.Context, conn *pgx.Conn, migration string) (*Barrier, error) {
	var b Barrier
	var gate, lsn string
	err := conn.QueryRow(ctx, `
		SELECT id, state, gate::text, coalesce(lsn, '0/0')::text, snapshot, message,
		       state IN ('asked', 'held') AND moved < pg_catalog.clock_timestamp() - $3::interval
		FROM walferry.barrier WHERE migration = $1 AND beat > pg_catalog.clock_timestamp() - $2::interval`,
		migration, barrierSilence, BarrierPatience).Scan(&b.ID, &b.State, &gate, &lsn, &b.Snapshot, &b.Message, &b.Stuck)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		b.Gate, err = pglogrepl.ParseLSN(gate)
	}
	if err == nil {
		b.LSN, err = pglogrepl.ParseLSN(lsn)
	}
	return &b, errors.Wrapf(err, "read the barrier of migration %q on the target", migration)
}

// AskBarrier asks the run of a migration to keep to a gate.
func AskBarrier(ctx context.Context, conn *pgx.Conn, migration, id string, gate pglogrepl.LSN) error {
	_, err := conn.Exec(ctx, `
		INSERT INTO walferry.barrier (migration, id, gate) VALUES ($1, $2, $3::text::pg_lsn)
		ON CONFLICT (migration) DO UPDATE SET id = excluded.id, state = 'asked', gate = excluded.gate, lsn = NULL, snapshot = '',
			message = '', beat = excluded.beat, moved = excluded.moved`, migration, id, gate.String())
	return errors.Wrapf(err, "ask migration %q for a barrier on the target", migration)
}

// BeatBarrier shows that verify lives, and moves the gate unless it is zero.
func BeatBarrier(ctx context.Context, conn *pgx.Conn, migration string, gate pglogrepl.LSN) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry.barrier SET beat = pg_catalog.clock_timestamp(), gate = coalesce($2::text::pg_lsn, gate),
		       moved = CASE WHEN $2 IS NULL THEN moved ELSE pg_catalog.clock_timestamp() END
		WHERE migration = $1`, migration, lsnText(gate))
	return errors.Wrapf(err, "keep the barrier of migration %q on the target", migration)
}

// SetBarrier says where the barrier is.
func SetBarrier(ctx context.Context, conn *pgx.Conn, migration string, lsn pglogrepl.LSN) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry.barrier SET state = 'set', gate = $2::text::pg_lsn, lsn = $2::text::pg_lsn, beat = pg_catalog.clock_timestamp()
		WHERE migration = $1 AND state IN ('asked', 'held')`, migration, lsn.String())
	return errors.Wrapf(err, "set the barrier of migration %q on the target", migration)
}

// DropBarrier lets the run go on without it.
func DropBarrier(ctx context.Context, conn Execer, migration string) error {
	_, err := conn.Exec(ctx, `DELETE FROM walferry.barrier WHERE migration = $1`, migration)
	return errors.Wrapf(err, "end the barrier of migration %q on the target", migration)
}

// AnswerBarrier is the run's answer. That of a run which was replaced does not count.
func AnswerBarrier(ctx context.Context, conn *pgx.Conn, migration string, epoch int64, b *Barrier) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry.barrier SET state = $3, snapshot = $4, message = $5
		WHERE migration = $1 AND id = $2 AND EXISTS (SELECT FROM walferry.migration WHERE name = $1 AND epoch = $6)`,
		migration, b.ID, string(b.State), b.Snapshot, b.Message, epoch)
	return errors.Wrapf(err, "answer to the barrier of migration %q on the target", migration)
}
