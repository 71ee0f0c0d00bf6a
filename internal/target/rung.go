package target

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Rung is how triggers and foreign keys are kept from acting on what is applied.
type Rung string

// The rungs, best first.
const (
	// Replica sets session_replication_role to replica in each session, by SQL:
	// several services refuse it as a startup option only.
	Replica Rung = "session_replication_role"
	// AivenExtras has a function of that extension do the same.
	AivenExtras Rung = "aiven_extras"
	// TakeDown disables triggers and rules and drops foreign keys until the end.
	TakeDown Rung = "take_down"
)

// FindRung tries the rungs in order and returns the first that the session's role can stand on.
func FindRung(ctx context.Context, conn *pgx.Conn) (Rung, error) {
	for _, rung := range []Rung{Replica, AivenExtras} {
		err := rung.Prepare(ctx, conn)
		var pgErr *pgconn.PgError
		switch {
		case err == nil:
			return rung, rung.reset(ctx, conn)
		case !errors.As(err, &pgErr):
			return "", err
		}
	}
	return TakeDown, nil
}

// Prepare readies one session for applying.
func (r Rung) Prepare(ctx context.Context, conn *pgx.Conn) error {
	var err error
	switch r {
	case Replica:
		_, err = conn.Exec(ctx, `SET session_replication_role = replica`)
	case AivenExtras:
		_, err = conn.Exec(ctx, `SELECT aiven_extras.session_replication_role('replica')`)
	case TakeDown:
	}
	return errors.Wrapf(err, "keep triggers from firing on the target by %s", r)
}

// reset undoes Prepare. Who may not set the parameter may not reset it either.
func (r Rung) reset(ctx context.Context, conn *pgx.Conn) error {
	sql := `RESET session_replication_role`
	if r == AivenExtras {
		sql = `SELECT aiven_extras.session_replication_role('origin')`
	}
	_, err := conn.Exec(ctx, sql)
	return errors.Wrap(err, "reset session_replication_role on the target")
}
