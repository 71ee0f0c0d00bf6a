package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
	"github.com/walferry/walferry/internal/pgbin"
)

// Names of the ways beside native and walferry.
const (
	wayPipe = "pipe"
	wayDump = "dump"
)

// jobs is how many streams each way has.
const jobs = "2"

// way is one way to copy the table and build its key.
type way struct {
	name    string
	prepare []string // statements on the empty target, not measured
	copy    func(ctx context.Context, s *scene) (report.Sample, error)
	clean   func(ctx context.Context, s *scene) error // not measured
}

var ways = []way{
	{name: wayPipe, prepare: []string{create}, copy: copyPipe},
	{name: report.Walferry, copy: copyWalferry, clean: cleanWalferry},
	{name: report.Native, prepare: []string{create, primary}, copy: copyNative, clean: cleanNative},
	{name: wayDump, copy: copyDump},
}

func wayNames() (names []string) {
	for _, w := range ways {
		names = append(names, w.name)
	}
	return names
}

// copyPipe is COPY by psql into COPY by psql, half of the table in each of two pipes,
// and then the key: what no program can do much better than.
func copyPipe(ctx context.Context, s *scene) (report.Sample, error) {
	dir, err := pgbin.Client(ctx, 15)
	if err != nil {
		return report.Sample{}, err
	}
	psql := filepath.Join(dir, "psql")
	start := time.Now()
	samples := make([]report.Sample, 2)
	g, gctx := errgroup.WithContext(ctx)
	for i, half := range []string{fmt.Sprintf("id <= %d", s.rows/2), fmt.Sprintf("id > %d", s.rows/2)} {
		g.Go(func() error {
			script := fmt.Sprintf(`%[1]q -Xqd %[2]q -c "COPY (SELECT * FROM orders WHERE %[3]s) TO STDOUT (FORMAT binary)" | `+
				`%[1]q -Xqd %[4]q -v ON_ERROR_STOP=1 -c "COPY orders FROM STDIN (FORMAT binary)"`, psql, s.source(), half, s.target())
			p, err := measure.Start(gctx, "sh", "-c", script)
			if err != nil {
				return err
			}
			samples[i], err = p.Wait()
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return report.Sample{}, err
	}
	err = measure.Execute(ctx, s.target(), primary)
	return report.Sample{Seconds: time.Since(start).Seconds(), ClientCPU: samples[0].ClientCPU + samples[1].ClientCPU}, err
}

// copyWalferry runs walferry from its start until the table is copied and its key is
// built; it then exits by itself, since no changes are to be applied.
func copyWalferry(ctx context.Context, s *scene) (report.Sample, error) {
	dir, err := pgbin.Client(ctx, s.o.sourceMajor)
	if err != nil {
		return report.Sample{}, err
	}
	conn, err := measure.Connect(ctx, s.target())
	if err != nil {
		return report.Sample{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost
	args := append([]string{
		"migrate", "-s", s.source(), "-t", s.target(), "--pgbin", dir, "--progress", "none", "-j", jobs,
		"--publication", "bench", "--max-replication-lag", "0",
	}, s.o.walferryArgs...)
	start := time.Now()
	p, err := measure.Start(ctx, s.Walferry, args...)
	if err != nil {
		return report.Sample{}, err
	}
	var sample report.Sample
	var ready float64
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		sample, err = p.Wait()
		return err
	})
	g.Go(func() error {
		err := measure.Poll(gctx, func() (bool, error) { return copied(gctx, conn) })
		ready = time.Since(start).Seconds()
		return err
	})
	err = g.Wait()
	sample.Seconds = ready
	return sample, err
}

// copied says that the tables are copied and their keys built.
func copied(ctx context.Context, conn *pgx.Conn) (bool, error) {
	begun, err := measure.Scan[bool](ctx, conn, `SELECT to_regclass('walferry."table"') IS NOT NULL`)
	if err != nil || !begun {
		return false, err
	}
	return measure.Scan[bool](ctx, conn, `SELECT coalesce(bool_and(state = 'ready'), false) FROM walferry."table"`)
}

func cleanWalferry(ctx context.Context, s *scene) error {
	p, err := measure.Start(ctx, s.Walferry, "cleanup", "-s", s.source(), "-t", s.target(), "--yes", "--restore")
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

// copyNative lets a subscription synchronize the table, in binary where it can.
func copyNative(ctx context.Context, s *scene) (sample report.Sample, err error) {
	conn, err := measure.Connect(ctx, s.target())
	if err != nil {
		return sample, err
	}
	defer func() { err = errors.CombineErrors(err, conn.Close(ctx)) }()
	options := ""
	if s.Target.Major() >= 16 {
		options = " WITH (binary = true)"
	}
	start := time.Now()
	_, err = conn.Exec(ctx, fmt.Sprintf("CREATE SUBSCRIPTION bench CONNECTION '%s' PUBLICATION bench", s.source())+options, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return sample, errors.Wrap(err, "create the subscription")
	}
	err = measure.Poll(ctx, func() (bool, error) {
		return measure.Scan[bool](ctx, conn, "SELECT bool_and(srsubstate IN ('s', 'r')) FROM pg_subscription_rel")
	})
	sample.Seconds = time.Since(start).Seconds()
	return sample, errors.Wrap(err, "wait for the subscription")
}

func cleanNative(ctx context.Context, s *scene) error {
	return measure.Execute(ctx, s.target(), "DROP SUBSCRIPTION bench")
}

// copyDump is pg_dump into a directory, and pg_restore.
func copyDump(ctx context.Context, s *scene) (report.Sample, error) {
	dir, err := pgbin.Client(ctx, s.o.sourceMajor)
	if err != nil {
		return report.Sample{}, err
	}
	parent, err := os.MkdirTemp("", "walferry-bench-dump-")
	if err != nil {
		return report.Sample{}, errors.Wrap(err, "make a directory for the dump")
	}
	defer os.RemoveAll(parent) //nolint:errcheck // the system's directory is cleaned anyway
	archive := filepath.Join(parent, "dump")
	var sum report.Sample
	for _, command := range [][]string{
		{"pg_dump", "-Fd", "-j", jobs, "-f", archive, "--no-publications", "-d", s.source()},
		{"pg_restore", "-j", jobs, "-d", s.target(), archive},
	} {
		p, err := measure.Start(ctx, filepath.Join(dir, command[0]), command[1:]...)
		if err != nil {
			return sum, err
		}
		sample, err := p.Wait()
		if err != nil {
			return sum, err
		}
		sum.Seconds += sample.Seconds
		sum.ClientCPU += sample.ClientCPU
		sum.PeakBytes = max(sum.PeakBytes, sample.PeakBytes)
	}
	return sum, nil
}
