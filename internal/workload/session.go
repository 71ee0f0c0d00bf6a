package workload

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session is one connection that writes. Used by one goroutine.
type session struct {
	g       *Generator
	catalog *catalog
	r       *rand.Rand
	conn    *pgx.Conn
	number  int
	done    int // transactions, for large ones and names

	// turn, if set, waits until it is the session's turn to run a statement; see [Generator.Record].
	turn func(Step) error
}

func (s *session) run(ctx context.Context) error {
	// A transaction that has begun is ended properly, whatever happens to ctx.
	work := context.WithoutCancel(ctx)
	defer func() {
		if s.conn != nil {
			_ = s.conn.Close(work) // nothing is lost
		}
	}()
	for ctx.Err() == nil {
		if s.conn == nil || s.conn.IsClosed() {
			if err := s.connect(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		if err := s.tolerate(work, s.transaction(ctx, work)); err != nil {
			return err
		}
		if !pause(ctx, s.g.o.Pause) {
			return nil
		}
	}
	return nil
}

func (s *session) connect(ctx context.Context) error {
	lost := s.conn != nil
	if lost {
		s.g.n.reconns.Add(1)
		s.g.o.Logger.InfoContext(ctx, "workload lost its connection")
	}
	conn, err := reopen(ctx, s.g.uri)
	if err == nil && s.turn != nil {
		_, err = conn.Exec(ctx, oneAtATime)
	}
	if err != nil {
		return err
	}
	s.conn = conn
	if !lost || !s.g.o.Prepare {
		return nil
	}
	if err := s.finishPrepared(ctx); !conn.IsClosed() {
		return err
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// tolerate rolls back after the errors that an application expects, and counts them.
func (s *session) tolerate(ctx context.Context, err error) error {
	if err == nil || s.conn.IsClosed() {
		return nil
	}
	switch class(err) {
	case violation:
		s.g.n.violations.Add(1)
	case serialization:
		s.g.n.serializations.Add(1)
	case unexpected:
		return err
	}
	err = s.exec(ctx, nil, "ROLLBACK")
	if s.conn.IsClosed() {
		return nil
	}
	return err
}

// errorClass is what a session does about an error.
type errorClass int

const (
	unexpected errorClass = iota
	violation
	serialization
)

func class(err error) errorClass {
	pgErr := (*pgconn.PgError)(nil)
	switch {
	case !errors.As(err, &pgErr):
		return unexpected
	case strings.HasPrefix(pgErr.Code, "23"): // integrity constraint violation
		return violation
	case strings.HasPrefix(pgErr.Code, "40"), pgErr.Code == "55P03", // deadlock, lock timeout
		pgErr.Code == "55006": // TRUNCATE of a table whose deferred triggers are still to fire
		return serialization
	default:
		return unexpected
	}
}

// exec runs one statement, counts it, and names it in the error.
func (s *session) exec(ctx context.Context, n *atomic.Int64, sql string) error {
	if s.turn != nil {
		if err := s.turn(Step{Session: s.number, SQL: sql}); err != nil {
			return err
		}
	}
	tag, err := s.conn.Exec(ctx, sql)
	if err != nil {
		return statementError(err, sql)
	}
	if n != nil {
		n.Add(1)
		s.g.n.rows.Add(tag.RowsAffected())
	}
	return nil
}

// shownSQL is how much of a statement an error shows.
const shownSQL = 2000

func statementError(err error, sql string) error {
	if len(sql) > shownSQL {
		sql = strings.ToValidUTF8(sql[:shownSQL], "") + "…"
	}
	return errors.WithDetail(errors.Wrap(err, "run a statement of the workload"), sql)
}

// chance is true once in n times.
func (s *session) chance(n int) bool { return s.r.IntN(n) == 0 }
