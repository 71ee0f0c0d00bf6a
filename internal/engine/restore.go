package engine

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// restoreSchema brings the source's schema to the target as far as it is needed
// before the rows. The dump is taken once, in the snapshot of that name unless it is
// empty, and kept on the target.
func (e *engine) restoreSchema(ctx context.Context, snapshotName string) error {
	if e.o.NoSchema {
		return nil
	}
	dumped, err := target.HasEntries(ctx, e.dst, e.m.Name)
	if err != nil {
		return err
	}
	if !dumped {
		if err := e.dumpSchema(ctx, snapshotName); err != nil {
			return err
		}
	}
	return e.restore(ctx, target.Preparing, schema.PreData, 1)
}

func (e *engine) dumpSchema(ctx context.Context, snapshotName string) error {
	bin, err := schema.FindPGBin(ctx, e.o.PGBin, e.major)
	if err != nil {
		return err
	}
	var choice *schema.Choice
	if !e.o.Filter.IsZero() {
		c, err := catalog.Choose(ctx, e.src, e.o.Filter)
		if err != nil {
			return err
		}
		choice = &schema.Choice{
			Relations: c.Relations, Excluded: c.Excluded, Schemas: c.Schemas, ExcludedSchemas: c.ExcludedSchemas,
			Named: len(e.o.Filter.Tables)+len(e.o.Filter.Schemas) > 0,
		}
	}
	conninfo, env := e.o.Source.Child()
	entries, leftOut, err := schema.Dump(ctx, schema.Options{
		PGBin: bin, Conninfo: conninfo, Env: env, Snapshot: snapshotName, Choice: choice, NoOwner: e.o.NoOwner, Logger: e.o.Logger,
		NoExtensions: e.o.NoExtensions, ExcludeExtensions: e.o.ExcludeExtensions,
	})
	if err != nil {
		return err
	}
	if e.o.Filter.IsZero() {
		more, unmoved, err := e.databaseEntries(ctx)
		if err != nil {
			return err
		}
		entries, leftOut = append(entries, more...), append(leftOut, unmoved...)
	}
	return target.AddEntries(ctx, e.dst, e.m.Name, entries, leftOut)
}

// restore runs the pending entries of one stage of the schema, in phase.
func (e *engine) restore(ctx context.Context, phase target.Phase, stage schema.Stage, jobs int) error {
	pending, err := target.CountPending(ctx, e.dst, e.m.Name, stage)
	if err != nil || pending == 0 {
		return err
	}
	if err := e.setPhase(ctx, phase); err != nil {
		return err
	}
	r := target.Restorer{
		Migration: e.m.Name, Jobs: jobs, Connect: e.schemaConnection,
		Done: func(done, total int, entry target.Entry) {
			e.report(func(v *status.Progress) {
				v.EntriesDone, v.EntriesTotal, v.Item = done, total, entry.Kind+" "+entry.Name
			})
		},
	}
	if stage == schema.Index {
		r.Connect = func(ctx context.Context) (*pgx.Conn, error) {
			conn, err := e.schemaConnection(ctx)
			if err != nil {
				return nil, err
			}
			if err := target.UseMemory(ctx, conn, jobs); err != nil {
				return nil, errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx)))
			}
			return conn, nil
		}
	}
	return r.Run(ctx, stage)
}

// schemaConnection opens a target connection on which schema entries can run.
func (e *engine) schemaConnection(ctx context.Context) (*pgx.Conn, error) {
	conn, err := e.o.Target.Connect(ctx, conninfo.WithPurpose("schema"))
	if err != nil {
		return nil, err
	}
	if err := schema.Prepare(ctx, conn); err != nil {
		return nil, errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}
