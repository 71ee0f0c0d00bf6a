package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"
)

// pgbenchScale is the -s of pgbench at scale 1: a million accounts.
const pgbenchScale = 10

// pgbenchClients is how many connections write the backlog.
const pgbenchClients = 4

// pgbenchSeed fills the four tables of a database. pgbench makes the same rows
// every time.
func (b *bench) pgbenchSeed(ctx context.Context, uri string) error {
	scale := max(1, int(pgbenchScale*b.o.scale))
	return b.pgbench(ctx, "-i", "-q", "-I", "dtGp", "-s", strconv.Itoa(scale), uri)
}

// pgbenchBacklog runs the TPC-B-like transactions, four rows each.
func (b *bench) pgbenchBacklog(ctx context.Context, uri string, transactions int) error {
	each := max(1, transactions/pgbenchClients)
	return b.pgbench(ctx, "-n", "-M", "prepared", "-c", strconv.Itoa(pgbenchClients), "-t", strconv.Itoa(each), uri)
}

func (b *bench) pgbench(ctx context.Context, args ...string) error {
	program, err := findProgram("pgbench")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "PGOPTIONS=-c synchronous_commit=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.WithDetailf(errors.Wrapf(err, "run %s", program), "%s", out)
	}
	return nil
}

// findProgram finds one of PostgreSQL's client programs, the newest that Debian
// has installed before others.
func findProgram(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err == nil && len(found) > 0 {
		slices.Sort(found)
		return found[len(found)-1], nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		err = errors.Wrapf(err, "find %s", name)
		return "", errors.WithHint(err, "install PostgreSQL's client programs, or leave out what needs "+name)
	}
	return path, nil
}

// both runs a function for the source's and the target's database at once.
func both(ctx context.Context, source, target string, do func(ctx context.Context, uri string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return do(ctx, source) })
	g.Go(func() error { return do(ctx, target) })
	return g.Wait()
}
