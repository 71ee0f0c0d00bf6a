package engine

import (
	"context"
	"slices"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/target"
)

// resumePoint returns where streaming begins: the checkpoint's LSN. The slot
// must be able to continue there. A server silently forwards a lower start to
// the slot's confirmed position, so a slot that was re-created or advanced by
// somebody else would lose what lies between: it is refused. So is a source whose log
// is not the one that the target's rows came from.
func (e *engine) resumePoint(ctx context.Context, conn *source.Conn) (decoder.LSN, error) {
	system, err := conn.IdentifySystem(ctx)
	if err != nil {
		return 0, err
	}
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
		e.m.Timeline = system.Timeline
		if err := target.Save(ctx, e.dst, e.m); err != nil {
			return 0, err
		}
		return start, target.StartCheckpoint(ctx, e.dst, e.m.Name, e.m.Epoch, start)
	}
	if confirmed > c.LSN {
		err := errors.Newf("slot %q on the source is ahead of what the target holds", e.m.Slot)
		err = errors.WithDetailf(err, "the slot's confirmed_flush_lsn is %s, the target's checkpoint %s: "+
			"the slot was re-created or read by another program, or the target was restored", confirmed, c.LSN)
		return 0, errors.WithHint(err, "the changes in between are lost to this migration: run walferry cleanup and migrate anew")
	}
	if err := e.requireHistory(ctx, conn, system, slices.Max(c.Lanes)); err != nil {
		return 0, err
	}
	return c.LSN, nil
}

// requireHistory fails unless the source's log goes through the position up to which
// the target has its changes. A physical copy of the source that ends before it, or left
// the log before it, has lost what the target holds, and may have other changes there: a
// walsender would skip those without a word.
func (e *engine) requireHistory(ctx context.Context, conn *source.Conn, now source.System, held decoder.LSN) error {
	end, known := now.XLogPos, true
	if e.m.Timeline != 0 && now.Timeline != e.m.Timeline {
		left, found, err := conn.LeftTimeline(ctx, now.Timeline, e.m.Timeline)
		if err != nil {
			return err
		}
		if known = found; found {
			end = left
		}
	}
	switch {
	case !known || end < held:
		err := errors.New("the source has lost changes that the target holds")
		if known {
			err = errors.WithDetailf(err, "the target has the changes up to %s of timeline %d, of which the source, now on timeline %d, has what is before %s",
				held, e.m.Timeline, now.Timeline, end)
		} else {
			err = errors.WithDetailf(err, "the target has changes of timeline %d, of which the source, now on timeline %d, has no part", e.m.Timeline, now.Timeline)
		}
		return errors.WithHint(err, "it was restored from a backup, or is a standby that was promoted before it had received everything: "+
			"run walferry cleanup and migrate anew (synchronized_standby_slots on the primary keeps a standby from being behind)")
	case e.m.Timeline == now.Timeline:
		return nil
	case e.m.Timeline != 0:
		e.o.Logger.InfoContext(ctx, "the source goes on as another server", "timeline", now.Timeline, "left", end.String())
	}
	e.m.Timeline = now.Timeline
	return target.Save(ctx, e.dst, e.m)
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
