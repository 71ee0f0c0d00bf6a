package engine

import (
	"context"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/target"
)

// resumePoint returns where streaming begins: the checkpoint's LSN. The slot
// must be able to continue there. A server silently forwards a lower start to
// the slot's confirmed position, so a slot that was re-created or advanced by
// somebody else would lose what lies between: it is refused.
func (e *engine) resumePoint(ctx context.Context) (decoder.LSN, error) {
	confirmed, err := e.slotPosition(ctx)
	if err != nil {
		return 0, err
	}
	c, err := target.LoadCheckpoint(ctx, e.dst, e.m.Name)
	if err != nil {
		return 0, err
	}
	if c == nil {
		start := max(confirmed, e.o.StartLSN)
		return start, target.StartCheckpoint(ctx, e.dst, e.m.Name, e.m.Epoch, start)
	}
	if confirmed > c.LSN {
		err := errors.Newf("slot %q on the source is ahead of what the target holds", e.m.Slot)
		err = errors.WithDetailf(err, "the slot's confirmed_flush_lsn is %s, the target's checkpoint %s: "+
			"the slot was re-created or read by another program, or the target was restored", confirmed, c.LSN)
		return 0, errors.WithHint(err, "the changes in between are lost to this migration: run walferry cleanup and migrate anew")
	}
	return c.LSN, nil
}

// slotPosition reads the slot's confirmed position and checks that it is usable.
func (e *engine) slotPosition(ctx context.Context) (decoder.LSN, error) {
	slot, err := source.ReadSlot(ctx, e.src, e.m.Slot)
	switch {
	case errors.Is(err, source.ErrSlotMissing):
		return 0, errors.WithHint(errors.Wrap(err, "resume on the source"),
			"the changes since the last checkpoint are lost with it: run walferry cleanup and migrate anew")
	case err != nil:
		return 0, err
	case slot.Plugin != "pgoutput" || slot.Database != e.system.Database:
		err := errors.Newf("slot %q on the source is not a pgoutput slot of database %q", e.m.Slot, e.system.Database)
		return 0, errors.WithHint(err, "name another slot with --slot")
	case slot.Lost():
		err := errors.Newf("replication slot %q on the source is lost", e.m.Slot)
		err = errors.WithDetailf(err, "the source removed WAL that the slot still needed %s", slot.InvalidationReason)
		err = errors.WithHint(err, "raise max_slot_wal_keep_size on the source, run walferry cleanup, and migrate anew")
		return 0, errors.Mark(err, source.ErrSlotLost)
	}
	return slot.ConfirmedFlushLSN, nil
}

// prepareTarget takes down what would act on applied rows.
func (e *engine) prepareTarget(ctx context.Context) error {
	if err := e.findRung(ctx); err != nil {
		return err
	}
	var oids []uint32
	err := e.dst.QueryRow(ctx, `
		SELECT coalesce(pg_catalog.array_agg(c.oid), '{}')
		FROM walferry."table" t
		JOIN pg_catalog.pg_namespace n ON n.nspname = t.namespace
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
		WHERE t.migration = $1 AND t.state <> 'skipped'`, e.m.Name).Scan(&oids)
	if err != nil {
		return errors.Wrap(err, "find the migration's tables on the target")
	}
	return target.TakeDownObjects(ctx, e.dst, e.m.Name, target.Rung(e.m.Rung), oids)
}

// findRung finds out, in each attempt, what the target's role may do: rights come and go.
func (e *engine) findRung(ctx context.Context) error {
	rung, err := target.FindRung(ctx, e.dst)
	if err != nil {
		return err
	}
	if e.m.Rung != string(rung) {
		e.m.Rung = string(rung)
		e.o.Logger.InfoContext(ctx, "triggers and foreign keys on the target are kept from acting", "rung", rung)
	}
	return target.Save(ctx, e.dst, e.m)
}
