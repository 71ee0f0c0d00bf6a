package engine

import (
	"context"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/schema"
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
// databases that were begun together. It returns what it dropped.
func Cleanup(ctx context.Context, o CleanupOptions) (dropped []string, err error) {
	o.setDefaults()
	names, err := databasesOf(ctx, o.Connection)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, c := range o.each(names) {
		one := o
		one.Connection = c
		gone, err := cleanup(ctx, one)
		if len(names) > 1 {
			for i := range gone {
				gone[i] += ", database " + c.Target.Database()
			}
			err = errors.Wrapf(err, "database %q", c.Target.Database())
		}
		dropped, failed = append(dropped, gone...), append(failed, err)
	}
	return dropped, errors.Join(failed...)
}

func cleanup(ctx context.Context, o CleanupOptions) (dropped []string, err error) {
	e := &engine{o: MigrateOptions{Connection: o.Connection}}
	defer e.close(ctx)
	if e.dst, err = o.Target.Connect(ctx, conninfo.WithPurpose("cleanup")); err != nil {
		return nil, err
	}
	if e.m, err = loadExisting(ctx, e.dst, o.Name); err != nil {
		return nil, err
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
	if e.m.OwnsSlot || len(e.m.OwnedPublications) > 0 {
		if e.src, err = o.Source.Connect(ctx, conninfo.WithPurpose("cleanup")); err != nil {
			return nil, err
		}
		if dropped, err = dropReplication(ctx, e.src, e.m); err != nil {
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

// leftovers names what will be dropped, and counts the entries that are held back.
func (e *engine) leftovers(ctx context.Context) (objects []string, held int, err error) {
	for _, name := range replicationObjects(e.m) {
		objects = append(objects, name+" on the source")
	}
	objects = append(objects, "migration "+e.m.Name+" in schema walferry on the target")
	entries, err := target.PendingEntries(ctx, e.dst, e.m.Name, schema.Finish)
	return objects, len(entries), err
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
