package workload

import (
	"context"
	"fmt"
	"strconv"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// transaction begins, runs some statements, and commits or aborts. It starts no
// statement after ctx is done.
func (s *session) transaction(ctx, work context.Context) error {
	if err := s.exec(work, nil, "BEGIN"); err != nil {
		return err
	}
	s.done++
	large := s.g.o.LargeEvery > 0 && s.done%s.g.o.LargeEvery == 0
	var err error
	if large {
		err = s.large(ctx, work)
	} else {
		err = s.ordinary(ctx, work)
	}
	if err != nil {
		return err
	}
	if large {
		s.g.n.large.Add(1)
	}
	return s.end(work)
}

// end commits, or aborts, in one step or in two.
func (s *session) end(ctx context.Context) error {
	commit, abort := "COMMIT", "ROLLBACK"
	if s.g.o.Prepare && s.chance(20) {
		name := literal(s.preparedPrefix() + strconv.Itoa(s.done))
		if err := s.exec(ctx, &s.g.n.prepared, "PREPARE TRANSACTION "+name); err != nil {
			return err
		}
		commit, abort = "COMMIT PREPARED "+name, "ROLLBACK PREPARED "+name
	}
	if s.chance(16) {
		return s.exec(ctx, &s.g.n.aborted, abort)
	}
	return s.exec(ctx, &s.g.n.committed, commit)
}

// preparedPrefix begins the names of this session's prepared transactions, which
// must be unique on the whole server.
func (s *session) preparedPrefix() string {
	return fmt.Sprintf("walferry_workload_%x_%d_", s.g.id, s.number)
}

// finishPrepared commits what the session had prepared when it lost its connection:
// it would keep its locks for ever.
func (s *session) finishPrepared(ctx context.Context) error {
	rows, err := s.conn.Query(ctx, `SELECT gid FROM pg_catalog.pg_prepared_xacts
		WHERE database = pg_catalog.current_database() AND pg_catalog.starts_with(gid, $1)`, s.preparedPrefix())
	if err != nil {
		return errors.Wrap(err, "look for prepared transactions")
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return errors.Wrap(err, "look for prepared transactions")
	}
	for _, name := range names {
		if err := s.exec(ctx, &s.g.n.committed, "COMMIT PREPARED "+literal(name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) ordinary(ctx, work context.Context) error {
	n := 1
	if !s.chance(3) {
		n = 1 + s.r.IntN(s.g.o.Statements)
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		step := s.statement
		if s.chance(4) {
			step = s.guarded
		}
		if err := step(work, 1); err != nil {
			return err
		}
	}
	return nil
}

// large runs statements of many rows until it has changed enough of them.
func (s *session) large(ctx, work context.Context) error {
	goal := s.g.o.LargeRows/2 + s.r.IntN(s.g.o.LargeRows)
	// Statements may find no row at all, so their number is bounded too.
	for changed, n := 0, 0; changed < goal && n < goal && ctx.Err() == nil; n++ {
		rows := 50 + s.r.IntN(200)
		if err := s.guarded(work, rows); err != nil {
			return err
		}
		changed += rows
	}
	return nil
}

// guarded runs a statement after a savepoint, to which it goes back when the
// statement fails, and sometimes when it does not. Savepoints that are neither
// released nor rolled back make the next ones subtransactions of theirs.
func (s *session) guarded(ctx context.Context, rows int) error {
	if err := s.exec(ctx, nil, "SAVEPOINT s"); err != nil {
		return err
	}
	s.g.n.savepoints.Add(1)
	err := s.statement(ctx, rows)
	switch {
	case err != nil && class(err) != violation:
		return err
	case err != nil:
		s.g.n.violations.Add(1)
		return s.rollbackTo(ctx)
	case s.chance(5):
		return s.rollbackTo(ctx)
	case s.chance(2):
		return s.exec(ctx, nil, "RELEASE SAVEPOINT s")
	default:
		return nil
	}
}

func (s *session) rollbackTo(ctx context.Context) error {
	s.g.n.savepointRollbacks.Add(1)
	return s.exec(ctx, nil, "ROLLBACK TO SAVEPOINT s")
}

// statement runs one statement, or the few that belong together. About rows
// rows are changed; 1 stands for the usual few. A table for which the chosen
// kind is not possible is left for another one.
func (s *session) statement(ctx context.Context, rows int) error {
	for range 10 {
		done, err := s.choose()(ctx, pick(s.r, s.catalog.tables), rows)
		if done || err != nil {
			return err
		}
	}
	return nil
}

// step runs one kind of statement, and reports false when the table has no use for it.
type step func(ctx context.Context, t *table, rows int) (bool, error)

// choose picks the kind of statement by weight.
func (s *session) choose() step {
	if s.g.o.Truncate && s.chance(400) {
		return s.truncate
	}
	switch n := s.r.IntN(100); {
	case n < 35:
		return s.insert
	case n < 39:
		return s.copyIn
	case n < 44:
		return s.upsert
	case n < 71:
		return s.update
	case n < 78:
		return s.updateKey
	case n < 82:
		return s.swap
	case n < 86:
		return s.move
	case n < 97:
		return s.delete
	default:
		return s.message
	}
}

func (s *session) message(ctx context.Context, _ *table, _ int) (bool, error) {
	return true, s.exec(ctx, &s.g.n.messages, fmt.Sprintf(
		"SELECT pg_catalog.pg_logical_emit_message(%t, 'walferry', %s)", s.chance(2), literal(textValue(s.r, 0, anyValue))))
}
