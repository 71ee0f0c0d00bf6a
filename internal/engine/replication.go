package engine

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/target"
)

// exported is a snapshot of the source and the connection that keeps it alive.
type exported struct {
	conn  *source.Conn
	name  string
	point pglogrepl.LSN
}

// close may be called more than once.
func (s *exported) close(ctx context.Context) {
	if s == nil || s.conn == nil {
		return
	}
	defer func() { s.conn = nil }()
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	s.conn.Close(ctx)
}

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
	if e.m.Slot == "" {
		return nil, e.listTables(ctx)
	}
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

// createPublications publishes the chosen tables, unless that has been done. What
// is to be made is recorded before it is made, so that it can always be dropped.
func (e *engine) createPublications(ctx context.Context) error {
	if len(e.m.Publications) > 0 {
		exist, err := publicationsExist(ctx, e.src, e.m.Publications)
		if err != nil || exist == len(e.m.Publications) || e.m.ConsistentPoint != 0 {
			return err
		}
	}
	tables, err := catalog.Tables(ctx, e.src, e.o.Filter)
	if err != nil {
		return err
	}
	name := e.slotName()
	all, err := catalog.Tables(ctx, e.src, catalog.Filter{})
	if err != nil {
		return err
	}
	full, insertOnly := publish(all, tables)
	statements := map[string]string{name: publicationSQL(name, full, "insert, update, delete, truncate")}
	names := []string{name}
	if len(insertOnly) > 0 {
		insert := sqltext.Suffixed(name, "_insert")
		statements[insert] = publicationSQL(insert, insertOnly, "insert, truncate")
		names = append(names, insert)
	}
	if len(e.m.OwnedPublications) == 0 {
		if exist, err := publicationsExist(ctx, e.src, names); err != nil {
			return err
		} else if exist > 0 {
			err := errors.Newf("publication %q exists on the source and is not this migration's", name)
			return errors.WithHint(err, "choose another --name, or use it as it is with --publication")
		}
	}
	e.m.Publications, e.m.OwnedPublications = names, names
	if err := target.Save(ctx, e.dst, e.m); err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, e.src, func(tx pgx.Tx) error {
		for _, name := range names {
			if _, err := tx.Exec(ctx, statements[name]); err != nil {
				return errors.Wrapf(err, "create publication %q on the source", name)
			}
		}
		return nil
	})
	return errors.WithHint(err, "connect to the source as the owner of the tables, with CREATE on the database")
}

// publish divides tables by what can be published of them without breaking the
// source's UPDATE and DELETE. Partitions go with their root where all of a root
// is chosen, so that partitions made later are published too.
func publish(all, tables []catalog.Table) (full, insertOnly []string) {
	chosen := make(map[catalog.Name]bool, len(tables))
	for i := range tables {
		chosen[tables[i].Name] = true
	}
	incomplete := map[catalog.Name]bool{} // roots with a partition that is not chosen
	for i := range all {
		if t := &all[i]; t.IsPartition && !chosen[t.Name] {
			incomplete[t.Root] = true
		}
	}
	for i := range tables {
		t := &tables[i]
		root, leaf := t.Kind == catalog.KindPartitioned && !t.IsPartition, t.Kind == catalog.KindTable
		switch {
		case t.Persistence != catalog.Permanent,
			root && incomplete[t.Name],
			t.IsPartition && (!leaf || chosen[t.Root] && !incomplete[t.Root]):
			continue
		}
		name := t.Quoted()
		if leaf {
			name = "ONLY " + name
		}
		if t.Identified() {
			full = append(full, name)
		} else {
			insertOnly = append(insertOnly, name)
		}
	}
	return full, insertOnly
}

func publicationSQL(name string, tables []string, operations string) string {
	sql := "CREATE PUBLICATION " + sqltext.Ident(name)
	if len(tables) > 0 {
		sql += " FOR TABLE " + strings.Join(tables, ", ")
	}
	return sql + " WITH (publish = " + sqltext.Literal(operations) + ")"
}

// requirePublications fails when a publication is not there. From 18 on the server
// would only warn, and leave out what it published.
func (e *engine) requirePublications(ctx context.Context) error {
	exist, err := publicationsExist(ctx, e.src, e.m.Publications)
	if err != nil || exist == len(e.m.Publications) {
		return err
	}
	err = errors.Newf("of the publications %s, %d exist on the source", strings.Join(e.m.Publications, ", "), exist)
	return errors.WithHint(err, "if one was dropped while it was in use, its changes since are lost to the stream: "+
		"run walferry cleanup and migrate anew; else correct --publication")
}

func publicationsExist(ctx context.Context, src *pgx.Conn, names []string) (n int, err error) {
	err = src.QueryRow(ctx, `SELECT pg_catalog.count(*) FROM pg_catalog.pg_publication WHERE pubname = ANY($1)`, names).Scan(&n)
	return n, errors.Wrap(err, "read publications of the source")
}

// createSlot creates the migration's slot and begins the ledger and the
// checkpoint at its consistent point.
func (e *engine) createSlot(ctx context.Context) (*exported, error) {
	conn, err := source.Connect(ctx, e.o.Source, e.o.Logger)
	if err != nil {
		return nil, err
	}
	slot, err := e.newSlot(ctx, conn)
	if err == nil {
		err = e.beginAt(ctx, slot.ConsistentPoint)
	}
	s := &exported{conn: conn, name: slot.SnapshotName, point: slot.ConsistentPoint}
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

func (e *engine) newSlot(ctx context.Context, conn *source.Conn) (source.Slot, error) {
	var exists bool
	err := e.src.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1)`, e.m.Slot).Scan(&exists)
	switch {
	case err != nil:
		return source.Slot{}, errors.Wrap(err, "read the slots of the source")
	case exists && e.m.OwnsSlot:
		// Left by a run of ours that was killed before it recorded the consistent point.
		if err := conn.DropSlot(ctx, e.m.Slot); err != nil {
			return source.Slot{}, err
		}
	case exists:
		err := errors.Newf("replication slot %q exists on the source and is not this migration's", e.m.Slot)
		return source.Slot{}, errors.WithHint(err, "choose another --name or --slot; to apply an existing slot to an existing schema, use walferry stream")
	}
	e.m.OwnsSlot = true
	if err := target.Save(ctx, e.dst, e.m); err != nil {
		return source.Slot{}, err
	}
	return conn.CreateSlot(ctx, e.m.Slot, source.SlotOptions{Export: true})
}

// newSnapshot exports a snapshot by a temporary slot, whose consistent point
// becomes the watermark of the tables that are copied from it.
func (e *engine) newSnapshot(ctx context.Context) (*exported, error) {
	conn, err := source.Connect(ctx, e.o.Source, e.o.Logger)
	if err != nil {
		return nil, err
	}
	// The slot of a killed run may still be there, so the name is never used twice.
	name := sqltext.Suffixed(e.m.Slot, "_"+strings.ToLower(rand.Text()[:8]))
	slot, err := conn.CreateSlot(ctx, name, source.SlotOptions{Export: true, Temporary: true})
	s := &exported{conn: conn, name: slot.SnapshotName, point: slot.ConsistentPoint}
	if err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
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
