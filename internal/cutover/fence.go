package cutover

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/target"
)

// FenceKind is how the source is closed to writers.
type FenceKind string

// The kinds of fence.
const (
	// FenceReadOnly makes new transactions of the database read-only by default and
	// ends the sessions that began before.
	FenceReadOnly FenceKind = "read-only"
	// FenceNone leaves it to the operator to stop the writers.
	FenceNone FenceKind = "none"
)

var (
	//go:embed fence.sql
	fenceSQL string
	//go:embed sessions.sql
	sessionsSQL string
	//go:embed writers.sql
	writersSQL string
)

// Sides are the connections of a cutover. Their sessions may write on the source also
// while it is closed.
type Sides struct {
	Source, Target *pgx.Conn
	Migration      string
	Logger         *slog.Logger
}

// Close closes the source to writers. What it changes is recorded on the target
// first, with what takes it back; what an earlier call recorded is kept, and done again.
func (s Sides) Close(ctx context.Context, a Actions) (detail string, err error) {
	recorded, err := target.Fence(ctx, s.Target, s.Migration)
	if err != nil {
		return "", err
	}
	wanted, err := s.fence(ctx)
	if err != nil {
		return "", err
	}
	added := slices.DeleteFunc(wanted, func(f target.FenceStatement) bool {
		// What would take an earlier closing back is not what would take this one back.
		return slices.ContainsFunc(recorded, func(r target.FenceStatement) bool { return r.Close == f.Close })
	})
	if !a.Dry() {
		if err := target.AddFence(ctx, s.Target, s.Migration, added); err != nil {
			return "", err
		}
	}
	for _, f := range append(recorded, added...) {
		failpoint.Hit("fence: before a statement")
		if err := exec(ctx, a, "source", s.Source, f.Close); err != nil {
			return "", errors.WithHint(err, "connect to the source as the owner of the database, or stop the writers yourself and use --fence none")
		}
	}
	var since time.Time
	if err := s.Source.QueryRow(ctx, `SELECT pg_catalog.clock_timestamp()`).Scan(&since); err != nil {
		return "", errors.Wrap(err, "read the source's clock")
	}
	return s.endSessions(ctx, a, since)
}

func (s Sides) fence(ctx context.Context) ([]target.FenceStatement, error) {
	var found []target.FenceStatement
	rows, err := s.Source.Query(ctx, fenceSQL)
	if err == nil {
		var ord int
		var role string
		var f target.FenceStatement
		_, err = pgx.ForEachRow(rows, []any{&ord, &role, &f.Close, &f.Open}, func() error {
			found = append(found, f)
			return nil
		})
	}
	return found, errors.Wrap(err, "read the settings of the source's database")
}

// session is a session of the source that may write.
type session struct {
	PID         int32
	Text        string
	Untouchable bool // by this role
	Unseen      bool // when it began
}

func (s Sides) sessions(ctx context.Context, since time.Time) ([]session, error) {
	rows, err := s.Source.Query(ctx, sessionsSQL, since)
	if err != nil {
		return nil, errors.Wrap(err, "read the sessions of the source")
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[session])
	return found, errors.Wrap(err, "read the sessions of the source")
}

// endSessions ends the sessions that began before since. A session reads its settings
// shortly before it can be seen, so it is over when two looks in a row find none.
func (s Sides) endSessions(ctx context.Context, a Actions, since time.Time) (detail string, err error) {
	ended, left := map[int32]bool{}, map[int32]string{}
	for round, quiet := 0, 0; quiet < 2; round++ {
		found, err := s.sessions(ctx, since)
		if err != nil {
			return "", err
		}
		quiet++
		for _, f := range found {
			if left[f.PID] != "" || f.Unseen && round > 1 {
				continue
			}
			if f.Untouchable {
				left[f.PID] = f.Text
				s.Logger.WarnContext(ctx, "a session on the source cannot be ended by this role and may still write", "session", f.Text)
				continue
			}
			quiet = 0
			ended[f.PID] = true
			err := a.Do(ctx, "source: end "+f.Text, func(ctx context.Context) error {
				failpoint.Hit("fence: before a session is ended")
				_, err := s.Source.Exec(ctx, `SELECT pg_catalog.pg_terminate_backend($1)`, f.PID)
				return errors.Wrapf(err, "end %s on the source", f.Text)
			})
			if err != nil {
				return "", err
			}
		}
		if a.Dry() {
			break
		}
		if !pause(ctx, 25*time.Millisecond) {
			return "", errors.Wrap(context.Cause(ctx), "end the sessions of the source")
		}
	}
	detail = fmt.Sprintf("closed; %d sessions ended", len(ended))
	if len(left) > 0 {
		detail += fmt.Sprintf(", %d that this role cannot end", len(left))
	}
	return detail, nil
}

// Open takes back what closed the source, and forgets it. It reports whether anything
// had been closed.
func (s Sides) Open(ctx context.Context, a Actions) (opened bool, err error) {
	recorded, err := target.Fence(ctx, s.Target, s.Migration)
	if err != nil || len(recorded) == 0 {
		return false, err
	}
	for _, f := range slices.Backward(recorded) {
		failpoint.Hit("fence: before a statement is taken back")
		if err := exec(ctx, a, "source", s.Source, f.Open); err != nil {
			return false, err
		}
	}
	if a.Dry() {
		return true, nil
	}
	failpoint.Hit("fence: before it is forgotten")
	return true, target.ForgetFence(ctx, s.Target, s.Migration)
}

// Writers names who may still commit something on the source.
func (s Sides) Writers(ctx context.Context) ([]string, error) {
	rows, err := s.Source.Query(ctx, writersSQL)
	if err != nil {
		return nil, errors.Wrap(err, "look for writers on the source")
	}
	writers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return writers, errors.Wrap(err, "look for writers on the source")
}

// AwaitWriters waits until nobody has anything left to commit on the source.
func (s Sides) AwaitWriters(ctx context.Context, a Actions) error {
	var last []string
	for {
		writers, err := s.Writers(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil && len(writers) == 0:
			return nil
		case a.Dry():
			return a.Do(ctx, "wait for "+strings.Join(writers, ", "), nil)
		case err == nil && last == nil:
			s.Logger.WarnContext(ctx, "waiting for writers on the source", "writers", writers)
		}
		if err == nil {
			last = writers
		}
		if !pause(ctx, 25*time.Millisecond) {
			err := errors.Wrap(context.Cause(ctx), "wait for writers on the source")
			err = errors.WithDetail(err, strings.Join(last, "\n"))
			return errors.WithHint(err, "stop them; end prepared transactions with COMMIT PREPARED or ROLLBACK PREPARED")
		}
	}
}

// pause waits a moment between two looks at a server; false when ctx is over.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
