package target

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// ErrLocked marks that another instance runs the same migration.
var ErrLocked = errors.New("another instance runs this migration")

// lockClass is the first key of walferry's advisory locks.
const lockClass = 0x77616c66 // "walf"

// Lock takes the migration's lock for as long as conn lives: an advisory lock of
// the session, so that it goes with a killed process. The server may need a
// moment to notice that, hence the wait.
func Lock(ctx context.Context, conn *pgx.Conn, name string, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		var got bool
		err := conn.QueryRow(ctx, `SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext($2))`, lockClass, name).Scan(&got)
		if err != nil {
			return errors.Wrapf(err, "lock migration %q on the target", name)
		}
		if got {
			return nil
		}
		if time.Now().After(deadline) {
			return lockedError(ctx, conn, name)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Locked says who holds the migration's lock; nil when nobody does.
func Locked(ctx context.Context, conn *pgx.Conn, name string) (*Holder, error) {
	var h Holder
	err := conn.QueryRow(ctx, `
		SELECT l.pid, coalesce(a.usename, ''), coalesce(a.client_addr::text, 'local'), coalesce(a.backend_start, pg_catalog.now())
		FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
		WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1::bigint::oid
		  AND l.objid = (pg_catalog.hashtext($2)::bigint & 4294967295)::oid AND l.objsubid = 2
		  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
		LIMIT 1`, lockClass, name).Scan(&h.PID, &h.User, &h.Address, &h.Since)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &h, errors.Wrapf(err, "read the lock of migration %q on the target", name)
}

// Holder is a session on the target that runs a migration.
type Holder struct {
	PID     int32
	User    string
	Address string
	Since   time.Time
}

func lockedError(ctx context.Context, conn *pgx.Conn, name string) error {
	err := errors.Newf("migration %q is already being run", name)
	if h, lookup := Locked(ctx, conn, name); lookup == nil && h != nil {
		who := "walferry"
		if m, lookup := Load(ctx, conn, name); lookup == nil && m != nil && m.RunCommand != "" {
			who = "walferry " + m.RunCommand + " of " + m.RunBy
		}
		err = errors.WithDetailf(err, "by %s, as user %q from %s since %s (server process %d on the target)",
			who, h.User, h.Address, h.Since.UTC().Format(time.RFC3339), h.PID)
	}
	err = errors.WithHint(err, "stop the other instance, or choose another --name")
	return errors.Mark(err, ErrLocked)
}
