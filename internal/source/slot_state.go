package source

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// SlotState is a slot as pg_replication_slots shows it.
type SlotState struct {
	Name      string
	Plugin    string
	Database  string
	Temporary bool
	Active    bool
	// ActivePID is the session that uses the slot, 0 when none does.
	ActivePID int32
	// RestartLSN is the oldest WAL that the slot keeps, 0 when it keeps none.
	RestartLSN LSN
	// ConfirmedFlushLSN is where streaming goes on.
	ConfirmedFlushLSN LSN
	// WALStatus is reserved, extended, unreserved or lost; empty when unknown.
	WALStatus string
	// SafeWALBytes is how much WAL may be written before the slot is lost; nil
	// when nothing limits it.
	SafeWALBytes *int64
	// RetainedBytes is how much WAL the slot keeps.
	RetainedBytes int64
	// InvalidationReason is set from PostgreSQL 17 on.
	InvalidationReason string
}

// Lost reports that the slot can never be used again.
func (s SlotState) Lost() bool { return s.WALStatus == "lost" || s.InvalidationReason != "" }

// ReadSlot reads a slot's state on an ordinary connection, on a primary or a
// standby. ErrSlotMissing when there is none.
func ReadSlot(ctx context.Context, conn *pgx.Conn, name string) (SlotState, error) {
	// Columns of newer versions are read through the row's JSON image, so one
	// statement serves all.
	const query = `SELECT slot_name::text, coalesce(plugin::text, ''), coalesce(database::text, ''), temporary, active,
			coalesce(active_pid, 0), coalesce(restart_lsn::text, '0/0'), coalesce(confirmed_flush_lsn::text, '0/0'),
			coalesce(wal_status, ''), safe_wal_size, coalesce(pg_catalog.pg_wal_lsn_diff(
				CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()
					ELSE pg_catalog.pg_current_wal_lsn() END, restart_lsn), 0)::bigint,
			coalesce(pg_catalog.to_json(s) ->> 'invalidation_reason', '')
		FROM pg_catalog.pg_replication_slots s WHERE slot_name = $1`
	var (
		s                  SlotState
		restart, confirmed string
	)
	err := conn.QueryRow(ctx, query, name).Scan(&s.Name, &s.Plugin, &s.Database, &s.Temporary, &s.Active, &s.ActivePID,
		&restart, &confirmed, &s.WALStatus, &s.SafeWALBytes, &s.RetainedBytes, &s.InvalidationReason)
	if errors.Is(err, pgx.ErrNoRows) {
		return SlotState{}, errors.Mark(errors.Newf("replication slot %q does not exist", name), ErrSlotMissing)
	}
	if err != nil {
		return SlotState{}, errors.Wrapf(err, "read replication slot %q", name)
	}
	if s.RestartLSN, err = pglogrepl.ParseLSN(restart); err != nil {
		return SlotState{}, errors.Wrapf(err, "read replication slot %q", name)
	}
	if s.ConfirmedFlushLSN, err = pglogrepl.ParseLSN(confirmed); err != nil {
		return SlotState{}, errors.Wrapf(err, "read replication slot %q", name)
	}
	return s, nil
}
