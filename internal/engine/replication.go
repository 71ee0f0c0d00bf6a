package engine

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/target"
)

func (e *engine) slotName() string {
	if e.o.Slot != "" {
		return e.o.Slot
	}
	return sqltext.ObjectName("walferry", e.o.Name, e.system.Database)
}

// startReplication makes sure that the publications and the slot exist, and that
// the ledger holds every table they publish. The snapshot is that of a slot made
// just now; nil when the slot was there.
func (e *engine) startReplication(ctx context.Context) (*exported, error) {
	if len(e.o.Publications) > 0 {
		e.m.Publications = e.o.Publications
	} else if err := e.createPublications(ctx); err != nil {
		return nil, err
	}
	if err := e.requirePublications(ctx); err != nil {
		return nil, err
	}
	if e.m.ConsistentPoint != 0 {
		return nil, e.listTables(ctx)
	}
	return e.createSlot(ctx)
}

// undo drops what a failed preparation made on the source, and forgets it.
func (e *engine) undo(ctx context.Context) (err error) {
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	defer func() {
		e.close(ctx)
		err = errors.Wrap(err, "drop what the failed preparation left on the source")
	}()
	if e.src, err = e.o.Source.Connect(ctx); err != nil {
		return err
	}
	if _, err := dropReplication(ctx, e.src, e.m); err != nil {
		return err
	}
	e.m.OwnsSlot, e.m.OwnedPublications, e.m.ConsistentPoint = false, nil, 0
	if len(e.o.Publications) == 0 {
		e.m.Publications = []string{}
	}
	if e.dst, err = e.o.Target.Connect(ctx); err != nil {
		return err
	}
	return target.Restart(ctx, e.dst, e.m)
}

// dropReplication drops the slot and the publications that the migration made,
// and says what it dropped.
func dropReplication(ctx context.Context, src *pgx.Conn, m *target.Migration) (dropped []string, err error) {
	if m.OwnsSlot {
		gone, err := dropSlot(ctx, src, m.Slot)
		if err != nil {
			return dropped, err
		}
		if gone {
			dropped = append(dropped, "replication slot "+m.Slot)
		}
	}
	for _, name := range m.OwnedPublications {
		exist, err := publicationsExist(ctx, src, []string{name})
		if err != nil {
			return dropped, err
		}
		if exist == 0 {
			continue
		}
		if _, err := src.Exec(ctx, "DROP PUBLICATION IF EXISTS "+sqltext.Ident(name)); err != nil {
			return dropped, errors.Wrapf(err, "drop publication %q on the source", name)
		}
		dropped = append(dropped, "publication "+name)
	}
	return dropped, nil
}

// replicationObjects names what dropReplication drops.
func replicationObjects(m *target.Migration) (objects []string) {
	if m.OwnsSlot {
		objects = append(objects, "replication slot "+m.Slot)
	}
	for _, name := range m.OwnedPublications {
		objects = append(objects, "publication "+name)
	}
	return objects
}
