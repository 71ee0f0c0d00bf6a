package engine

import (
	"context"

	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/target"
)

// finish makes the target complete after the drain: sequences, large objects,
// unlogged tables, what was held back or taken down, statistics. Then it drops the replication objects. Every
// step may be repeated.
func (e *engine) finish(ctx context.Context) error {
	ctx, cancel := e.untilStopped(ctx)
	defer cancel()
	if err := e.setPhase(ctx, target.CuttingOver); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return e.syncSequences(ctx, 0) },
		func(ctx context.Context) error { return e.copyLargeObjects(ctx, "") },
		e.copyUnlogged,
		func(ctx context.Context) error { return e.restore(ctx, target.CuttingOver, schema.Finish, 1) },
		e.refreshViews,
		e.analyze,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	dropped, err := dropReplication(ctx, e.src, e.m)
	if err != nil {
		return err
	}
	for _, name := range dropped {
		e.o.Logger.InfoContext(ctx, "dropped on the source", "object", name)
	}
	e.m.OwnsSlot, e.m.OwnedPublications = false, nil
	return e.setPhase(ctx, target.Done)
}
