package engine

import (
	"context"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/target"
)

// finish makes the target complete after the drain: sequences, what was held
// back or taken down, statistics. Then it drops the replication objects. Every
// step may be repeated.
func (e *engine) finish(ctx context.Context) error {
	ctx, cancel := e.untilStopped(ctx)
	defer cancel()
	if err := e.setPhase(ctx, target.CuttingOver); err != nil {
		return err
	}
	if err := e.syncSequences(ctx); err != nil {
		return err
	}
	if err := e.restore(ctx, target.CuttingOver, schema.Finish, 1); err != nil {
		return err
	}
	if err := e.analyze(ctx); err != nil {
		return err
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

// syncSequences sets the target's sequences to the source's positions. Those
// that the target does not have are left, with a warning.
func (e *engine) syncSequences(ctx context.Context) error {
	sequences, err := catalog.Sequences(ctx, e.src)
	if err != nil {
		return err
	}
	existing, err := catalog.Sequences(ctx, e.dst)
	if err != nil {
		return err
	}
	onTarget := make(map[catalog.Name]bool, len(existing))
	for _, s := range existing {
		onTarget[s.Name] = true
	}
	wanted := sequences[:0]
	for _, s := range sequences {
		if onTarget[s.Name] {
			wanted = append(wanted, s)
		} else {
			e.warn("sequence " + s.String() + " does not exist on the target and was not set")
		}
	}
	values, err := catalog.SequenceValues(ctx, e.src, wanted)
	if err != nil {
		return err
	}
	if err := catalog.SetSequences(ctx, e.dst, values); err != nil {
		return err
	}
	e.sequencesSet = len(values)
	return nil
}

// analyze gives the planner statistics before the application arrives.
func (e *engine) analyze(ctx context.Context) error {
	tables, err := target.Tables(ctx, e.dst, e.m.Name)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if !t.Copied() {
			continue
		}
		name := sqltext.Ident(t.Namespace, t.Name)
		if _, err := e.dst.Exec(ctx, "ANALYZE "+name); err != nil {
			return errors.Wrapf(err, "analyze %s on the target", name)
		}
	}
	return nil
}

// warn keeps what was moved with a loss for the summary.
func (e *engine) warn(message string) {
	e.warnings = append(e.warnings, message)
	e.o.Logger.Warn("moved with a loss", "reason", message)
}
