package cutover

import (
	"context"
	"sync"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// Actions carry out changes. Looking is not a change and does not go through them.
type Actions interface {
	// Do carries out a change that text describes in the imperative.
	Do(ctx context.Context, text string, change func(context.Context) error) error
	// Dry reports whether changes are only written down.
	Dry() bool
}

// Real carries changes out.
type Real struct{}

var _ Actions = Real{}

// Do implements [Actions].
func (Real) Do(ctx context.Context, _ string, change func(context.Context) error) error {
	return change(ctx)
}

// Dry implements [Actions].
func (Real) Dry() bool { return false }

// Recording writes down what would be changed. It is safe for concurrent use.
type Recording struct {
	mu    sync.Mutex
	texts []string
}

var _ Actions = (*Recording)(nil)

// Do implements [Actions].
func (r *Recording) Do(_ context.Context, text string, _ func(context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, text)
	return nil
}

// Dry implements [Actions].
func (r *Recording) Dry() bool { return true }

// Take returns what was written down since the last call.
func (r *Recording) Take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := r.texts
	r.texts = nil
	return texts
}

// exec runs one statement on a side.
func exec(ctx context.Context, a Actions, side string, conn *pgx.Conn, sql string, args ...any) error {
	return a.Do(ctx, side+": "+sql, func(ctx context.Context) error {
		_, err := conn.Exec(ctx, sql, args...)
		return errors.WithDetailf(errors.Wrapf(err, "run a statement on the %s", side), "statement: %s", sql)
	})
}
