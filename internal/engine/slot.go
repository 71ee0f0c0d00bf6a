package engine

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/target"
)

// exported is a snapshot of the source and the connection that keeps it alive: one
// that has made a slot, or an ordinary one.
type exported struct {
	conn  *source.Conn
	plain *pgx.Conn
	name  string
	point pglogrepl.LSN
}

// close may be called more than once.
func (s *exported) close(ctx context.Context) {
	if s == nil || s.conn == nil && s.plain == nil {
		return
	}
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	if s.conn != nil {
		s.conn.Close(ctx)
	} else {
		closeConn(ctx, s.plain)
	}
	s.conn, s.plain = nil, nil
}

// exportSnapshot exports a snapshot of the present, without a slot.
func (e *engine) exportSnapshot(ctx context.Context) (*exported, error) {
	conn, err := e.o.Source.Connect(ctx, conninfo.WithPurpose("snapshot"))
	if err != nil {
		return nil, err
	}
	s := &exported{plain: conn}
	if _, err = conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err == nil {
		err = conn.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&s.name)
	}
	if err != nil {
		s.close(ctx)
		return nil, errors.Wrap(err, "export a snapshot of the source")
	}
	return s, nil
}

// createSlot creates the migration's slot and begins the ledger and the
// checkpoint at its consistent point.
func (e *engine) createSlot(ctx context.Context) (*exported, error) {
	if err := e.vacateSlot(ctx); err != nil {
		return nil, err
	}
	s, err := e.makeSlot(ctx)
	if err == nil {
		failpoint.Hit("slot: created")
		err = e.beginAt(ctx, s.point)
	}
	failpoint.Hit("slot: recorded")
	if err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

// beginAt records, at once, that the slot exists, its tables, and the checkpoint.
func (e *engine) beginAt(ctx context.Context, point pglogrepl.LSN) error {
	e.m.ConsistentPoint = point
	return pgx.BeginFunc(ctx, e.dst, func(tx pgx.Tx) error {
		if err := e.listTables(ctx); err != nil {
			return err
		}
		if err := target.StartCheckpoint(ctx, tx, e.m.Name, e.m.Epoch, point); err != nil {
			return err
		}
		return target.Save(ctx, tx, e.m)
	})
}

// vacateSlot makes sure that there is no slot of the migration's name.
func (e *engine) vacateSlot(ctx context.Context) error {
	var exists bool
	err := e.src.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1)`, e.m.Slot).Scan(&exists)
	switch {
	case err != nil:
		return errors.Wrap(err, "read the slots of the source")
	case exists && e.m.OwnsSlot:
		// Left by a run of ours that was killed before it recorded the consistent point.
		_, err := dropSlot(ctx, e.src, e.m.Slot)
		return err
	case exists:
		err := errors.Newf("replication slot %q exists on the source and is not this migration's", e.m.Slot)
		return errors.WithHint(err, "choose another --name or --slot; to apply an existing slot to an existing schema, use walferry stream")
	}
	return nil
}

// makeSlot records that the migration owns the slot, and makes it. Where that is
// possible, a standby may keep a copy of it and take over with that.
func (e *engine) makeSlot(ctx context.Context) (*exported, error) {
	conn, err := source.Connect(ctx, e.o.Source, e.o.Logger)
	if err != nil {
		return nil, err
	}
	s := &exported{conn: conn}
	system, err := conn.IdentifySystem(ctx)
	if err != nil {
		return s, err
	}
	var standby bool
	if err := e.src.QueryRow(ctx, `SELECT pg_catalog.pg_is_in_recovery()`).Scan(&standby); err != nil {
		return s, errors.Wrap(err, "ask whether the source is a standby")
	}
	e.m.Timeline, e.m.OwnsSlot = system.Timeline, true
	if err := target.Save(ctx, e.dst, e.m); err != nil {
		return s, err
	}
	next, err := e.sides().NextXID(ctx)
	if err != nil {
		return s, err
	}
	failpoint.Hit("slot: before it is created")
	slot, err := conn.CreateSlot(ctx, e.m.Slot, source.SlotOptions{Export: true, Failover: e.major >= 17 && !standby})
	if err != nil {
		return s, err
	}
	s.name, s.point = slot.SnapshotName, slot.ConsistentPoint
	return e.passUnseen(ctx, s, next)
}

// passUnseen makes the migration begin later when a definition changed while its slot was
// made, of which the slot may not know: at the consistent point of another slot, from
// whose snapshot the tables are copied. The migration's slot is advanced to it, and thereby
// past its own creation.
func (e *engine) passUnseen(ctx context.Context, s *exported, since int64) (*exported, error) {
	object, err := source.Unseen(ctx, e.src, since)
	if err != nil || object == "" {
		return s, err
	}
	e.o.Logger.WarnContext(ctx, "the migration begins at a second consistent point: a definition changed while the slot was made", "object", object)
	s.close(ctx)
	conn, err := source.Connect(ctx, e.o.Source, e.o.Logger)
	if err != nil {
		return nil, err
	}
	if s, err = e.snapshotOn(ctx, conn); err != nil {
		return nil, err
	}
	return s, source.AdvanceSlot(ctx, e.src, e.m.Slot, s.point)
}

// newSnapshot exports a snapshot by a temporary slot, whose consistent point
// becomes the watermark of the tables that are copied from it.
func (e *engine) newSnapshot(ctx context.Context) (*exported, error) {
	conn, err := source.Connect(ctx, e.o.Source, e.o.Logger)
	if err != nil {
		return nil, err
	}
	// What is copied now is of use only if the stream can go on.
	if _, err := e.resumePoint(ctx, conn); err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return e.snapshotOn(ctx, conn)
}

// snapshotOn is newSnapshot with a connection, which it takes over.
func (e *engine) snapshotOn(ctx context.Context, conn *source.Conn) (*exported, error) {
	// The slot of a killed run may still be there, so the name is never used twice.
	name := sqltext.Suffixed(e.m.Slot, "_"+strings.ToLower(rand.Text()[:8]))
	slot, err := conn.CreateSlot(ctx, name, source.SlotOptions{Export: true, Temporary: true})
	failpoint.Hit("snapshot: exported again")
	s := &exported{conn: conn, name: slot.SnapshotName, point: slot.ConsistentPoint}
	if err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

// dropSlot drops a slot when it exists. A walsender that has just lost its client
// may hold it for a moment, so it is waited for.
func dropSlot(ctx context.Context, src *pgx.Conn, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		tag, err := src.Exec(ctx, `
			SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots
			WHERE slot_name = $1 AND NOT active`, name)
		if err != nil {
			return false, errors.Wrapf(err, "drop replication slot %q on the source", name)
		}
		if tag.RowsAffected() > 0 {
			failpoint.Hit("slot: dropped")
			return true, nil
		}
		var pid *int32
		err = src.QueryRow(ctx, `SELECT active_pid FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`, name).Scan(&pid)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, errors.Wrapf(err, "read replication slot %q of the source", name)
		}
		if !pause(ctx) {
			err := errors.Newf("replication slot %q is in use on the source", name)
			return false, errors.WithHint(err, "stop the walferry that streams from it first")
		}
	}
}
