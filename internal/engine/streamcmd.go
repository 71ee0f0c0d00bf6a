package engine

import (
	"context"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// Stream applies an existing slot and publications to an existing schema, from
// the target's checkpoint on. It copies nothing.
func Stream(ctx context.Context, o MigrateOptions) (*status.Summary, error) {
	o.setDefaults()
	e := &engine{o: o, command: target.Stream}
	if o.Slot == "" || len(o.Publications) == 0 {
		err := errors.New("which slot and publication to stream is not said")
		return nil, errors.WithHint(err, "give --slot and --publication")
	}
	if err := e.reach(ctx); err != nil {
		return nil, err
	}
	return e.attempts(ctx, e.streamOnce)
}

// streamOnce is one attempt of [Stream].
func (e *engine) streamOnce(ctx context.Context) (*status.Summary, error) {
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	e.m.Slot, e.m.Publications = e.o.Slot, e.o.Publications
	if err := e.requirePublications(ctx); err != nil {
		return nil, err
	}
	if err := e.ensureSlot(ctx); err != nil {
		return nil, err
	}
	if err := e.listTables(ctx); err != nil {
		return nil, err
	}
	if err := e.stream(ctx); err != nil {
		return nil, err
	}
	return e.summary(ctx)
}

// ensureSlot creates the slot when asked to and it does not exist.
func (e *engine) ensureSlot(ctx context.Context) error {
	if !e.o.CreateSlot {
		return nil
	}
	_, err := e.slotPosition(ctx)
	if !errors.Is(err, source.ErrSlotMissing) {
		return err
	}
	if c, err := target.LoadCheckpoint(ctx, e.dst, e.m.Name); err != nil {
		return err
	} else if c != nil {
		err := errors.Newf("replication slot %q is gone from the source, but the target holds a checkpoint of it", e.m.Slot)
		return errors.WithHint(err, "a new slot would lose the changes in between: run walferry cleanup first if that is what you want")
	}
	s, err := e.makeSlot(ctx)
	if err == nil {
		e.m.ConsistentPoint = s.point
	}
	s.close(ctx)
	return err
}
