package engine

import (
	"context"

	"github.com/walferry/walferry/internal/target"
)

// check connects to both sides and, when the migration is new, runs the
// preflight. It changes nothing.
func (e *engine) check(ctx context.Context) error {
	defer e.close(ctx)
	if err := e.open(ctx); err != nil {
		return err
	}
	installed, err := target.Installed(ctx, e.dst)
	if err != nil {
		return err
	}
	if installed {
		if m, err := target.Load(ctx, e.dst, e.o.Name); err != nil || m != nil {
			return err
		}
	}
	return nil
}
