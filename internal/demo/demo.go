package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/internal/pgbin"
	"github.com/walferry/walferry/internal/rowdiff"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/workload"
)

// ErrDiffer marks that source and target did not end equal.
var ErrDiffer = errors.New("source and target differ")

// Demo is a running pair of servers. Its methods are called one after the other.
type Demo struct {
	o              Options
	source, target *side
	pgbin          string
	started        time.Time
	report         Report
}

// Start finds or fetches PostgreSQL, starts both servers and loads the source.
// The caller must call [Demo.Stop].
func Start(ctx context.Context, o Options) (*Demo, error) {
	d := &Demo{o: o.withDefaults(), started: time.Now()}
	err := d.start(ctx)
	if err != nil {
		return nil, errors.CombineErrors(err, d.Stop()) //nolint:contextcheck // cleans up whatever ended ctx
	}
	d.report = Report{
		SchemaVersion: status.SchemaVersion, Source: d.source.report(), Target: d.target.report(), Writers: d.o.Writers,
		Skipped: []string{}, Warnings: []string{}, Differences: []string{},
	}
	return d, nil
}

func (d *Demo) start(ctx context.Context) error {
	from, to, err := chooseMajors(d.o.SourceMajor, d.o.TargetMajor, installedMajors(ctx))
	if err != nil {
		return err
	}
	d.o.Tell(fmt.Sprintf("finding PostgreSQL %d and %d, or fetching them into %s", from, to, pgbin.CacheDir()))
	if d.pgbin, err = pgbin.Client(ctx, from); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		d.source, err = startSide(gctx, "source", from, "REPLICATION")
		return err
	})
	g.Go(func() (err error) {
		d.target, err = startSide(gctx, "target", to, "")
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	for _, s := range []*side{d.source, d.target} {
		d.o.Tell(fmt.Sprintf("%s: PostgreSQL %s from %s, on port %d", s.name, s.version, s.server.BinDir(), s.server.Port()))
	}
	d.o.Tell("dump and restore: " + d.pgbin)
	d.o.Tell("loading rows into the source")
	return workload.LoadUgly(ctx, d.source.uri, d.o.Scale)
}

// Compare compares every table row by row on both sides, and the sequences. It
// returns an error marked [ErrDiffer] when they are not equal.
func (d *Demo) Compare(ctx context.Context) error {
	result, err := rowdiff.Diff(ctx, d.source.server.URI(database), d.target.server.URI(database), rowdiff.Options{Sequences: true, Unlogged: true})
	if err != nil {
		return errors.Wrap(err, "compare source and target")
	}
	r := &d.report
	r.TablesCompared, r.RowsCompared, r.SequencesCompared = result.Tables, result.Rows, result.Sequences
	r.Differences = append([]string{}, result.Differences...)
	r.Equal = len(result.Differences) == 0 && result.Tables > 0
	if r.Equal {
		return nil
	}
	return errors.WithDetail(ErrDiffer, strings.Join(result.Differences, "\n"))
}

// TargetURI connects the owner of the migrated database to the target. It
// contains the password.
func (d *Demo) TargetURI() string { return d.target.uri }

// Report returns what has been shown so far.
func (d *Demo) Report() *Report {
	d.report.Seconds = time.Since(d.started).Seconds()
	return &d.report
}

// Stop stops both servers and removes everything of theirs. A second call does nothing.
func (d *Demo) Stop() error {
	var err error
	for _, s := range []*side{d.source, d.target} {
		if s != nil {
			err = errors.CombineErrors(err, errors.Wrapf(s.server.Stop(), "stop the %s", s.name))
		}
	}
	return err
}
