package engine

import (
	"context"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/target"
)

// CleanupOptions say what is cleaned up.
type CleanupOptions struct {
	Connection

	// Restore first restores what was held back or taken down on the target:
	// foreign keys, triggers, identity columns.
	Restore bool
	// Confirm is shown what will be dropped and says whether to go on; nil means yes.
	Confirm func(objects []string) (bool, error)
}

// Cleanup drops what the migration made on both sides and forgets it, of all
// databases that were begun together. Without a target it drops what carries the migration's
// name on the source. It returns what it dropped.
func Cleanup(ctx context.Context, o CleanupOptions) (dropped []string, err error) {
	o.setDefaults()
	if o.Target == nil {
		return cleanup(ctx, o)
	}
	names, err := databasesOf(ctx, o.Connection)
	switch {
	case errors.Is(err, errNoMigration):
	case err != nil:
		return nil, errors.WithHint(err, goneForGood)
	case len(names) == 1 && names[0] != o.Target.Database():
		names = nil // the migration of another database, which nobody has named
	}
	if len(names) < 2 {
		o.Connection = o.each(names)[0]
		return cleanup(ctx, o)
	}
	var failed []error
	for _, c := range o.each(names) {
		one := o
		one.Connection = c
		gone, err := cleanup(ctx, one)
		for i := range gone {
			gone[i] += ", database " + c.Target.Database()
		}
		err = errors.Wrapf(err, "database %q", c.Target.Database())
		dropped, failed = append(dropped, gone...), append(failed, err)
	}
	return dropped, errors.Join(failed...)
}

const goneForGood = "if the target is gone for good, give --source alone: what is left there is found by its name"

func cleanup(ctx context.Context, o CleanupOptions) (dropped []string, err error) {
	e := &engine{o: MigrateOptions{Connection: o.Connection}}
	defer e.close(ctx)
	if o.Target == nil {
		return e.cleanupByName(ctx, o)
	}
	if e.dst, err = o.Target.Connect(ctx, conninfo.WithPurpose("cleanup")); err != nil {
		return nil, errors.WithHint(err, goneForGood)
	}
	if e.m, err = loadExisting(ctx, e.dst, o.Name); err != nil {
		return nil, errors.WithHint(err, goneForGood)
	}
	if err := target.Lock(ctx, e.dst, o.Name, lockWait); err != nil {
		return nil, err
	}
	objects, held, err := e.leftovers(ctx)
	if err != nil {
		return nil, err
	}
	if held > 0 && !o.Restore {
		err := errors.Newf("%d objects of the schema are still held back on the target", held)
		err = errors.WithDetail(err, "foreign keys, triggers and the like; their definitions are kept in walferry.entry, which would be dropped")
		return nil, errors.WithHint(err, "restore them with walferry cleanup --restore")
	}
	if o.Confirm != nil {
		if ok, err := o.Confirm(objects); err != nil || !ok {
			return nil, err
		}
	}
	if o.Restore {
		if err := e.restoreHeld(ctx); err != nil {
			return nil, err
		}
	}
	if e.fenced() || e.m.OwnsSlot || len(e.m.OwnedPublications) > 0 {
		if err := e.openSource(ctx); err != nil {
			return nil, err
		}
		if err := e.checkSource(e.m); err != nil {
			return nil, err
		}
		if e.fenced() {
			if _, err := e.sides().Open(ctx, cutover.Real{}); err != nil {
				return nil, err
			}
			dropped = append(dropped, "what closed database "+e.m.Database+" on the source to writers")
		}
		gone, err := dropReplication(ctx, e.src, e.m)
		if dropped = append(dropped, gone...); err != nil {
			return dropped, err
		}
	}
	failpoint.Hit("cleanup: before the migration is forgotten")
	if err := target.Delete(ctx, e.dst, o.Name); err != nil {
		return dropped, err
	}
	dropped = append(dropped, "migration "+o.Name+" on the target")
	failpoint.Hit("cleanup: before the schema is dropped")
	gone, err := target.Drop(ctx, e.dst)
	if gone {
		dropped = append(dropped, "schema walferry on the target")
	}
	return dropped, err
}

// fenced reports that a cutover which was not decided has left the source closed. What a
// decided one has closed stays so.
func (e *engine) fenced() bool { return e.m.FencedAt != nil && e.m.DecidedAt == nil }

// cleanupByName drops the slot and the publications on the source that are named like
// those of the migration. Nothing says whose they are but the name.
func (e *engine) cleanupByName(ctx context.Context, o CleanupOptions) (dropped []string, err error) {
	if e.src, err = o.Source.Connect(ctx, conninfo.WithPurpose("cleanup")); err != nil {
		return nil, err
	}
	m := &target.Migration{Name: o.Name}
	if err := e.src.QueryRow(ctx, `SELECT pg_catalog.current_database()::text`).Scan(&m.Database); err != nil {
		return nil, errors.Wrap(err, "read the name of the source's database")
	}
	m.Slot = sqltext.ObjectName("walferry", o.Name, m.Database)
	slot, err := source.ReadSlot(ctx, e.src, m.Slot)
	switch {
	case errors.Is(err, source.ErrSlotMissing):
	case err != nil:
		return nil, err
	case slot.Active:
		err := errors.Newf("replication slot %q is in use on the source", m.Slot)
		err = errors.WithDetailf(err, "by server process %d: a walferry is at work", slot.ActivePID)
		return nil, errors.WithHint(err, "stop it first, and give --target too")
	default:
		m.OwnsSlot = slot.Plugin == "pgoutput" && slot.Database == m.Database
	}
	for _, name := range []string{m.Slot, sqltext.Suffixed(m.Slot, "_insert")} {
		n, err := publicationsExist(ctx, e.src, []string{name})
		if err != nil {
			return nil, err
		}
		if n > 0 {
			m.OwnedPublications = append(m.OwnedPublications, name)
		}
	}
	objects := replicationObjects(m)
	if len(objects) == 0 {
		err := errors.Newf("database %s of the source has nothing of a migration %q", m.Database, o.Name)
		return nil, errors.WithDetailf(err, "the source has neither a slot nor a publication named %s", m.Slot)
	}
	for i := range objects {
		objects[i] += " on the source"
	}
	if o.Confirm != nil {
		if ok, err := o.Confirm(objects); err != nil || !ok {
			return nil, err
		}
	}
	return dropReplication(ctx, e.src, m)
}

// leftovers names what will be dropped, and counts the entries that are held back.
func (e *engine) leftovers(ctx context.Context) (objects []string, held int, err error) {
	for _, name := range replicationObjects(e.m) {
		objects = append(objects, name+" on the source")
	}
	if e.fenced() {
		objects = append(objects, "what closes database "+e.m.Database+" on the source to writers")
	}
	objects = append(objects, "migration "+e.m.Name+" in schema walferry on the target")
	held, err = target.CountPending(ctx, e.dst, e.m.Name, schema.Finish)
	return objects, held, err
}

// restoreHeld runs what is left of the schema, the indexes first: keys refer to them.
func (e *engine) restoreHeld(ctx context.Context) error {
	r := target.Restorer{
		Migration: e.m.Name, Jobs: 1,
		Connect: e.schemaConnection,
	}
	for _, stage := range []schema.Stage{schema.PreData, schema.Index, schema.Finish} {
		if err := r.Run(ctx, stage); err != nil {
			return err
		}
	}
	_, err := e.stepValidate(ctx, cutover.Real{})
	return err
}
