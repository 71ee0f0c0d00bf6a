package main

import (
	"context"
	"net/url"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/bench/internal/delay"
	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
)

// drainWalferry runs walferry from its start to its exit at the backlog's end.
func drainWalferry(ctx context.Context, s *scene, slot string) (report.Sample, error) {
	return s.runWalferry(ctx, slot, s.b.Source.URI(sourceDatabase), s.b.Target.URI(drainDatabase))
}

func (s *scene) runWalferry(ctx context.Context, slot, source, target string) (report.Sample, error) {
	p, err := s.startWalferry(ctx, slot, source, target, "--endpos", s.end)
	if err != nil {
		return report.Sample{}, err
	}
	return p.Wait()
}

func (s *scene) startWalferry(ctx context.Context, slot, source, target string, more ...string) (*measure.Program, error) {
	args := append([]string{
		"stream", "-s", source, "-t", target, "--slot", slot, "--publication", publication, "--progress", "none",
	}, more...)
	return measure.Start(ctx, s.b.Walferry, append(args, s.b.o.walferryArgs...)...)
}

// drainDelayed is drainWalferry over links that are delayed as asked for.
func drainDelayed(ctx context.Context, s *scene, slot string) (report.Sample, error) {
	return s.overDelayedLinks(ctx, func(ctx context.Context, source, target string) (report.Sample, error) {
		return s.runWalferry(ctx, slot, source, target)
	})
}

// overDelayedLinks drains with links that are delayed as asked for.
func (s *scene) overDelayedLinks(ctx context.Context, drain func(ctx context.Context, source, target string) (report.Sample, error)) (sample report.Sample, err error) {
	source, target := s.b.Source.URI(sourceDatabase), s.b.Target.URI(drainDatabase)
	ctx, cancel := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	defer func() {
		cancel()
		err = errors.CombineErrors(err, g.Wait())
	}()
	through := func(uri string) (string, error) {
		u, err := url.Parse(uri)
		if err != nil {
			return "", errors.Wrap(err, "parse the server's URI")
		}
		proxy, err := delay.Listen(delay.Options{Target: u.Host, RTT: s.b.o.rtt, Window: s.b.o.window})
		if err != nil {
			return "", err
		}
		g.Go(func() error { return proxy.Serve(ctx) })
		u.Host = proxy.Addr()
		return u.String(), nil
	}
	if s.b.o.link != "target" {
		if source, err = through(source); err != nil {
			return sample, err
		}
	}
	if s.b.o.link != "source" {
		if target, err = through(target); err != nil {
			return sample, err
		}
	}
	return drain(ctx, source, target)
}
