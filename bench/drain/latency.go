package main

import (
	"context"
	"math/rand/v2"
	"os"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
)

const (
	// latencyPollEvery bounds the error of a latency.
	latencyPollEvery = 500 * time.Microsecond
	// latencyPause is the mean time between commits, whose moments are random: a
	// program that wakes up regularly must not be met at the same phase each time.
	latencyPause = 20 * time.Millisecond
	// exitStopped is walferry's exit status after a signal.
	exitStopped = 3
)

// keeper lets a way apply what comes as long as measure runs.
type keeper func(ctx context.Context, s *scene, slot string, while func(context.Context) error) error

// latencies measures single commits by the native subscription and by walferry,
// once they have caught up.
func (b *bench) latencies(ctx context.Context, commits int) ([]report.Latency, error) {
	b.Tell("latency: %d commits", commits)
	s, err := b.newScene(ctx, func(ctx context.Context, uri string) error {
		return measure.Execute(ctx, uri, "CREATE TABLE public.ticks (id bigint PRIMARY KEY, at timestamptz NOT NULL)")
	}, func(ctx context.Context, uri string) error {
		return measure.Execute(ctx, uri, "INSERT INTO public.ticks VALUES (0, now())")
	})
	if err != nil {
		return nil, err
	}
	var results []report.Latency
	for _, w := range []struct {
		name string
		keep keeper
	}{{report.Native, keepSubscription}, {report.Walferry, keepWalferry}} {
		l, err := s.latency(ctx, commits, w.keep)
		if err != nil {
			err = errors.Wrapf(err, "latency by %s", w.name)
			return nil, errors.CombineErrors(err, s.close(ctx))
		}
		l.Way = w.name
		results = append(results, l)
	}
	return results, s.close(ctx)
}

// latency measures one way. What an earlier one committed is its backlog.
func (s *scene) latency(ctx context.Context, commits int, keep keeper) (l report.Latency, err error) {
	const slot = "bench_latency"
	last, err := measure.Scan[int](ctx, s.source, "SELECT max(id)::int FROM public.ticks")
	if err != nil {
		return l, err
	}
	drop, err := s.reset(ctx, slot)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.CombineErrors(err, drop(ctx)) }()
	target, err := measure.Connect(ctx, s.b.Target.URI(drainDatabase))
	if err != nil {
		return l, err
	}
	defer target.Close(ctx) //nolint:errcheck // nothing is lost
	var visible, durable []float64
	err = keep(ctx, s, slot, func(ctx context.Context) error {
		if _, _, err := s.arrival(ctx, target, last); err != nil { // it has started and caught up
			return err
		}
		for id := last + 1; id <= last+commits; id++ {
			v, d, err := s.tick(ctx, target, id)
			if err != nil {
				return err
			}
			visible, durable = append(visible, v), append(durable, d)
		}
		return nil
	})
	return report.Latency{
		Commits:       commits,
		VisibleMedian: report.Quantile(visible, 0.5), VisibleP99: report.Quantile(visible, 0.99),
		DurableMedian: report.Quantile(durable, 0.5), DurableP99: report.Quantile(durable, 0.99),
	}, err
}

// tick commits one row after a random pause, and waits for its arrival.
func (s *scene) tick(ctx context.Context, target *pgx.Conn, id int) (visible, durable float64, err error) {
	pause := time.NewTimer(time.Duration(rand.Float64() * 2 * float64(latencyPause)))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	if _, err := s.source.Exec(ctx, "INSERT INTO public.ticks VALUES ($1, now())", id); err != nil {
		return 0, 0, errors.Wrap(err, "commit a row")
	}
	return s.arrival(ctx, target, id)
}

// arrival returns the milliseconds until a row is visible on the target, and
// until the target has flushed its WAL up to there.
func (s *scene) arrival(ctx context.Context, target *pgx.Conn, id int) (visible, durable float64, err error) {
	start := time.Now()
	var written string
	err = measure.PollAt(ctx, latencyPollEvery, func() (bool, error) {
		err := target.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text FROM public.ticks WHERE id = $1", id).Scan(&written)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return 0, 0, errors.Wrap(err, "wait for a row")
	}
	visible = milliseconds(start)
	err = measure.PollAt(ctx, latencyPollEvery, func() (bool, error) {
		return measure.Scan[bool](ctx, target, "SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn", written)
	})
	return visible, milliseconds(start), errors.Wrap(err, "wait for the target's flush")
}

func milliseconds(since time.Time) float64 {
	return float64(time.Since(since)) / float64(time.Millisecond)
}

func keepSubscription(ctx context.Context, s *scene, slot string, while func(context.Context) error) (err error) {
	conn, drop, err := s.subscribe(ctx, slot, s.b.Source.URI(sourceDatabase))
	if err != nil {
		return err
	}
	defer func() { err = errors.CombineErrors(err, drop(ctx)) }()
	if _, err := conn.Exec(ctx, "ALTER SUBSCRIPTION "+subscription+" ENABLE"); err != nil {
		return errors.Wrap(err, "enable the subscription")
	}
	return while(ctx)
}

func keepWalferry(ctx context.Context, s *scene, slot string, while func(context.Context) error) error {
	p, err := s.startWalferry(ctx, slot, s.b.Source.URI(sourceDatabase), s.b.Target.URI(drainDatabase))
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, err := p.Wait(exitStopped)
		return err
	})
	g.Go(func() error {
		err := while(gctx)
		return errors.CombineErrors(err, p.Signal(os.Interrupt))
	})
	return g.Wait()
}
