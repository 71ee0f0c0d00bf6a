package engine

import (
	"context"

	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// Snapshot copies the rows of the chosen tables once, from one consistent
// snapshot, into existing tables. It leaves nothing behind on either side but
// the rows; an attempt that did not finish begins anew.
func Snapshot(ctx context.Context, o MigrateOptions) (*status.Summary, error) {
	o.Method, o.NoSchema = MethodDump, true
	o.setDefaults()
	e := &engine{o: o, command: target.Snapshot}
	if err := e.reach(ctx); err != nil {
		return nil, err
	}
	return e.attempts(ctx, e.snapshotOnce)
}

// snapshotOnce is one attempt of [Snapshot].
func (e *engine) snapshotOnce(ctx context.Context) (*status.Summary, error) {
	ctx, cancel := e.untilStopped(ctx)
	defer cancel()
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	if err := e.listTables(ctx); err != nil {
		return nil, err
	}
	if err := e.copyTables(ctx, nil); err != nil {
		return nil, err
	}
	if err := e.restore(ctx, target.CuttingOver, schema.Finish, 1); err != nil {
		return nil, err
	}
	if _, err := e.stepValidate(ctx, cutover.Real{}); err != nil {
		return nil, err
	}
	if err := target.IndexesDone(ctx, e.dst, e.m.Name); err != nil {
		return nil, err
	}
	if err := e.setPhase(ctx, target.Done); err != nil {
		return nil, err
	}
	summary, err := e.summary(ctx)
	if err != nil {
		return nil, err
	}
	if err := target.Delete(ctx, e.dst, e.m.Name); err != nil {
		return nil, err
	}
	_, err = target.Drop(ctx, e.dst)
	return summary, err
}
