package main

import (
	"context"
	"fmt"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/bench/internal/measure"
)

// Names of what a scene makes. One scene exists at a time.
const (
	sourceDatabase = "bench"
	seedDatabase   = "bench_seed" // the target's state before the backlog
	drainDatabase  = "bench"      // a copy of it, for one drain
	publication    = "bench"
	keptSlot       = "bench_kept" // holds the backlog; every drain uses a copy
)

// scene is a workload that is ready to be drained: its backlog waits behind a
// slot, and the target's initial state in a database to copy.
type scene struct {
	b      *bench
	source *pgx.Conn
	target *pgx.Conn // to the database postgres
	// end is after the last commit of the backlog, begin before the first.
	begin, end string
	walBytes   int64
}

// newScene makes the tables by prepare, on both sides, then the slot, and then the
// backlog on the source. The caller must call close.
func (b *bench) newScene(ctx context.Context, prepare, backlog func(ctx context.Context, uri string) error) (_ *scene, err error) {
	s := &scene{b: b}
	defer func() {
		if err != nil {
			err = errors.CombineErrors(err, s.close(ctx))
		}
	}()
	if err := measure.Execute(ctx, b.Source.URI("postgres"), "CREATE DATABASE "+sourceDatabase); err != nil {
		return nil, err
	}
	if err := measure.Execute(ctx, b.Target.URI("postgres"), "CREATE DATABASE "+seedDatabase); err != nil {
		return nil, err
	}
	if s.source, err = measure.Connect(ctx, b.Source.URI(sourceDatabase)); err != nil {
		return nil, err
	}
	if s.target, err = measure.Connect(ctx, b.Target.URI("postgres")); err != nil {
		return nil, err
	}
	err = both(ctx, b.Source.URI(sourceDatabase), b.Target.URI(seedDatabase), func(ctx context.Context, uri string) error {
		if err := prepare(ctx, uri); err != nil {
			return err
		}
		return measure.Execute(ctx, uri, "VACUUM ANALYZE")
	})
	if err != nil {
		return nil, err
	}
	if err := s.publish(ctx); err != nil {
		return nil, err
	}
	if err := backlog(ctx, b.Source.URI(sourceDatabase)); err != nil {
		return nil, errors.Wrap(err, "write the backlog")
	}
	return s, s.finish(ctx)
}

// publish makes the publication of all tables, by name, and the slot.
func (s *scene) publish(ctx context.Context) error {
	tables, err := measure.Scan[string](ctx, s.source, `SELECT string_agg(format('%I.%I', schemaname, tablename), ', ')
		FROM pg_catalog.pg_tables WHERE schemaname = 'public'`)
	if err != nil {
		return err
	}
	if _, err := s.source.Exec(ctx, fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s", publication, tables)); err != nil {
		return errors.Wrap(err, "create the publication")
	}
	if _, err := s.source.Exec(ctx, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", keptSlot); err != nil {
		return errors.Wrap(err, "create the slot")
	}
	s.begin, err = measure.Scan[string](ctx, s.source, "SELECT pg_current_wal_lsn()::text")
	return err
}

// finish takes the end of the backlog. The checkpoint makes it durable: walsenders
// send only what is.
func (s *scene) finish(ctx context.Context) (err error) {
	if _, err := s.source.Exec(ctx, "CHECKPOINT"); err != nil {
		return errors.Wrap(err, "make the backlog durable")
	}
	if s.end, err = measure.Scan[string](ctx, s.source, "SELECT pg_current_wal_flush_lsn()::text"); err != nil {
		return err
	}
	s.walBytes, err = measure.Scan[int64](ctx, s.source, "SELECT pg_wal_lsn_diff($1::pg_lsn, $2::pg_lsn)::bigint", s.end, s.begin)
	return err
}

// close drops what the scene made.
func (s *scene) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if s.source != nil {
		_, dropErr := s.source.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", keptSlot)
		err = errors.CombineErrors(errors.Wrap(dropErr, "drop the slot"), s.source.Close(ctx))
	}
	if s.target != nil {
		err = errors.CombineErrors(err, s.target.Close(ctx))
	}
	err = errors.CombineErrors(err, measure.DropDatabases(ctx, s.b.Source, sourceDatabase))
	return errors.CombineErrors(err, measure.DropDatabases(ctx, s.b.Target, seedDatabase, drainDatabase))
}

// reset gives a drain a fresh target, a slot of its own, and servers that have
// nothing left to write. The returned function drops the slot.
func (s *scene) reset(ctx context.Context, slot string) (drop func(context.Context) error, err error) {
	if err := measure.DropDatabases(ctx, s.b.Target, drainDatabase); err != nil {
		return nil, err
	}
	if _, err := s.target.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", drainDatabase, seedDatabase)); err != nil {
		return nil, errors.Wrap(err, "copy the target's initial state")
	}
	if _, err := s.target.Exec(ctx, "CHECKPOINT"); err != nil {
		return nil, errors.Wrap(err, "checkpoint of the target")
	}
	if _, err := s.source.Exec(ctx, "SELECT pg_copy_logical_replication_slot($1, $2)", keptSlot, slot); err != nil {
		return nil, errors.Wrapf(err, "copy the slot as %s", slot)
	}
	return func(ctx context.Context) error {
		ctx = context.WithoutCancel(ctx)
		if err := s.waitInactive(ctx, slot); err != nil {
			return err
		}
		_, err := s.source.Exec(ctx, "SELECT pg_drop_replication_slot($1)", slot)
		return errors.Wrapf(err, "drop the slot %s", slot)
	}, nil
}

// waitInactive waits until the walsender of a slot has ended.
func (s *scene) waitInactive(ctx context.Context, slot string) error {
	return measure.Poll(ctx, func() (bool, error) {
		return measure.Scan[bool](ctx, s.source, "SELECT NOT active FROM pg_replication_slots WHERE slot_name = $1", slot)
	})
}
