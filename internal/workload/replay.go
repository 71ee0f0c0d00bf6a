package workload

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Replay runs the history again, in its order. Statements may fail, as they did when they
// were recorded, or because others were taken away; no transaction is left open. The number
// of those that failed is returned.
func (h History) Replay(ctx context.Context, uri string) (failed int, err error) {
	conns := map[int]*pgx.Conn{}
	defer func() {
		for _, conn := range conns {
			err = errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx)))
		}
	}()
	for _, step := range h {
		conn := conns[step.Session]
		if conn == nil {
			if conn, err = open(ctx, uri); err != nil {
				return failed, err
			}
			conns[step.Session] = conn
			if _, err := conn.Exec(ctx, oneAtATime); err != nil {
				return failed, errors.Wrap(err, "set up a session")
			}
		}
		if err := step.run(ctx, conn); err != nil {
			if pgErr := (*pgconn.PgError)(nil); !errors.As(err, &pgErr) || conn.IsClosed() {
				return failed, statementError(err, step.SQL)
			}
			failed++
		}
	}
	for _, conn := range conns {
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			return failed, errors.Wrap(err, "roll back what is left open")
		}
		if err := rollbackPrepared(ctx, conn); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

func (s Step) run(ctx context.Context, conn *pgx.Conn) error {
	if strings.HasPrefix(s.SQL, "COPY ") {
		_, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(s.Data), s.SQL)
		return err
	}
	_, err := conn.Exec(ctx, s.SQL)
	return err
}

// rollbackPrepared ends the database's prepared transactions that nobody will commit.
func rollbackPrepared(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()")
	if err != nil {
		return errors.Wrap(err, "look for prepared transactions")
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return errors.Wrap(err, "look for prepared transactions")
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, "ROLLBACK PREPARED "+literal(name)); err != nil {
			return errors.Wrap(err, "roll back a prepared transaction")
		}
	}
	return nil
}
