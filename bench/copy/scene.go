package main

import (
	"context"
	"fmt"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
	"github.com/walferry/walferry/internal/rowdiff"
)

const (
	database = "bench"
	columns  = `id bigint, customer_id bigint, status text, amount numeric(12,2), created_at timestamptz, payload jsonb, note text`
	create   = "CREATE TABLE orders (" + columns + ")"
	primary  = "ALTER TABLE orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id)"
)

// scene is a filled source.
type scene struct {
	*measure.Pair

	o    options
	rows int
}

func (s *scene) source() string { return s.Source.URI(database) }
func (s *scene) target() string { return s.Target.URI(database) }

func (s *scene) fill(ctx context.Context) error {
	if err := measure.Execute(ctx, s.Source.URI("postgres"), "CREATE DATABASE "+database); err != nil {
		return err
	}
	return measure.Execute(ctx, s.source(), create, fmt.Sprintf(`INSERT INTO orders
		SELECT g, g %% 9973, CASE g %% 3 WHEN 0 THEN 'new' WHEN 1 THEN 'paid' ELSE 'shipped' END, (g %% 100000) / 7.0,
			'2025-01-01 00:00:00+00'::timestamptz + g * interval '13 s',
			jsonb_build_object('sku', 'A' || g %% 500, 'qty', g %% 9), 'note ' || md5(g::text)
		FROM generate_series(1, %d) g`, s.rows), primary, "CREATE PUBLICATION bench FOR TABLE orders", "VACUUM ANALYZE orders", "CHECKPOINT")
}

// measure copies once into an empty database, and makes sure that nothing is missing.
func (s *scene) measure(ctx context.Context, w way) (report.Sample, error) {
	if err := measure.DropDatabases(ctx, s.Target, database); err != nil {
		return report.Sample{}, err
	}
	if err := measure.Execute(ctx, s.Target.URI("postgres"), "CREATE DATABASE "+database, "CHECKPOINT"); err != nil {
		return report.Sample{}, err
	}
	if err := measure.Execute(ctx, s.target(), w.prepare...); err != nil {
		return report.Sample{}, err
	}
	before, err := s.CPU()
	if err != nil {
		return report.Sample{}, err
	}
	sample, err := w.copy(ctx, s)
	if err != nil {
		return sample, err
	}
	after, err := s.CPU()
	if err != nil {
		return sample, err
	}
	sample.SourceCPU, sample.TargetCPU = after[0]-before[0], after[1]-before[1]
	if w.clean != nil {
		if err := w.clean(ctx, s); err != nil {
			return sample, err
		}
	}
	return sample, s.compare(ctx)
}

// compare fails unless both sides hold the same rows, and the target the key.
func (s *scene) compare(ctx context.Context) error {
	result, err := rowdiff.Diff(ctx, s.source(), s.target(), rowdiff.Options{Examples: 3})
	if err != nil {
		return errors.Wrap(err, "compare the rows")
	}
	if len(result.Differences) > 0 {
		return errors.WithDetail(errors.New("the target does not hold the source's rows"), result.Differences[0])
	}
	conn, err := measure.Connect(ctx, s.target())
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	has, err := measure.Scan[bool](ctx, conn, "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = 'public.orders'::regclass AND indisprimary AND indisvalid)")
	if err == nil && !has {
		err = errors.New("the target lacks the primary key")
	}
	return err
}
