package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
	"github.com/walferry/walferry/internal/pgbin"
	"github.com/walferry/walferry/internal/rowdiff"
)

// way is one way to drain a scene's backlog through a slot.
type way struct {
	name string
	// applies says that rows arrive on the target, and are compared afterwards.
	applies bool
	drain   func(ctx context.Context, s *scene, slot string) (report.Sample, error)
}

// ways lists how every backlog is drained, as far as it is asked for.
func (b *bench) ways() []way {
	ways := []way{
		{name: report.Native, applies: true, drain: drainNative},
		{name: report.Walferry, applies: true, drain: drainWalferry},
	}
	if b.o.rtt > 0 && b.o.link != "target" {
		ways = append(ways, way{name: report.Native + "+" + b.o.rtt.String(), applies: true, drain: drainNativeDelayed})
	}
	if b.o.rtt > 0 {
		ways = append(ways, way{name: report.Walferry + "+" + b.o.rtt.String(), applies: true, drain: drainDelayed})
	}
	ways = append(ways, way{name: report.Decode, drain: drainDecode})
	if len(b.o.ways) == 0 {
		return ways
	}
	return slices.DeleteFunc(ways, func(w way) bool {
		name, _, _ := strings.Cut(w.name, "+")
		return !slices.Contains(b.o.ways, name)
	})
}

// workload builds a backlog and drains it by every way, as often as asked for.
// Every other repetition takes the ways in reverse, since a machine that slows
// down meanwhile would always wrong the same one. The result holds what was
// measured before an error.
func (b *bench) workload(ctx context.Context, w workload) (report.Workload, error) {
	rows := w.scaled(b.o.scale)
	result := report.Workload{Name: w.name, Rows: rows, Goal: w.goal}
	b.Tell("%s: writing a backlog of %d rows", w.name, rows)
	s, err := b.newScene(ctx, func(ctx context.Context, uri string) error {
		return b.prepare(ctx, w, rows, uri)
	}, func(ctx context.Context, uri string) error {
		if w.bench {
			return b.pgbenchBacklog(ctx, uri, rows/w.perTx)
		}
		return measure.Execute(ctx, uri, "SET synchronous_commit = off", w.backlog(rows))
	})
	if err != nil {
		return result, err
	}
	result.WALBytes = s.walBytes
	for run := range b.o.runs {
		ways := b.ways()
		if run%2 == 1 {
			slices.Reverse(ways)
		}
		for _, way := range ways {
			sample, err := s.measure(ctx, way)
			if err != nil {
				err = errors.Wrapf(err, "drain by %s", way.name)
				return result, errors.CombineErrors(err, s.close(ctx))
			}
			b.Tell("%s: %s %.2f s", w.name, way.name, sample.Seconds)
			result.Add(way.name, sample)
		}
	}
	result.Finish()
	return result, s.close(ctx)
}

// prepare makes and fills the tables of one side.
func (b *bench) prepare(ctx context.Context, w workload, rows int, uri string) error {
	if w.bench {
		return b.pgbenchSeed(ctx, uri)
	}
	if err := measure.Execute(ctx, uri, w.schema...); err != nil || w.seed == nil {
		return err
	}
	return measure.Execute(ctx, uri, w.seed(rows))
}

// measure drains once, and makes sure that nothing is missing afterwards.
func (s *scene) measure(ctx context.Context, w way) (_ report.Sample, err error) {
	const slot = "bench_drain"
	drop, err := s.reset(ctx, slot)
	if err != nil {
		return report.Sample{}, err
	}
	defer func() { err = errors.CombineErrors(err, drop(ctx)) }()
	before, err := s.b.CPU()
	if err != nil {
		return report.Sample{}, err
	}
	sample, err := w.drain(ctx, s, slot)
	if err != nil {
		return sample, err
	}
	if err := s.waitInactive(ctx, slot); err != nil {
		return sample, err
	}
	after, err := s.b.CPU()
	if err != nil {
		return sample, err
	}
	sample.SourceCPU, sample.TargetCPU = after[0]-before[0], after[1]-before[1]
	if !w.applies {
		return sample, nil
	}
	return sample, s.compare(ctx)
}

// compare fails unless both sides hold the same rows.
func (s *scene) compare(ctx context.Context) error {
	result, err := rowdiff.Diff(ctx, s.b.Source.URI(sourceDatabase), s.b.Target.URI(drainDatabase), rowdiff.Options{Examples: 3})
	if err != nil {
		return errors.Wrap(err, "compare the rows")
	}
	if len(result.Differences) > 0 {
		return errors.WithDetail(errors.New("the target does not hold the source's rows"), result.Differences[0])
	}
	return nil
}

// drainDecode lets the source decode and send, and forgets what comes.
func drainDecode(ctx context.Context, s *scene, slot string) (report.Sample, error) {
	dir, err := pgbin.Client(ctx, 15)
	if err != nil {
		return report.Sample{}, err
	}
	p, err := measure.Start(ctx, filepath.Join(dir, "pg_recvlogical"), "-d", s.b.Source.URI(sourceDatabase), "--slot="+slot, "--start", "--no-loop",
		"-o", "proto_version=1", "-o", "publication_names="+publication, "--endpos="+s.end, "-f", os.DevNull)
	if err != nil {
		return report.Sample{}, err
	}
	return p.Wait()
}
