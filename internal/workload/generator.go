package workload

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// Generator writes to one database. Its methods are safe for concurrent use,
// but Run may be called only once.
type Generator struct {
	uri string
	o   Options
	n   counters
	id  uint64 // unlike that of any other generator
}

// New returns a generator for the database of a connection string.
func New(uri string, o Options) *Generator {
	return &Generator{uri: uri, o: o.withDefaults(), id: rand.Uint64()}
}

// Stats returns what has been done so far.
func (g *Generator) Stats() Stats { return g.n.stats() }

// Run writes until ctx is done, which is no error: every session then ends its
// transaction. A lost connection is opened again for up to a minute. An error is
// what the schema or the server did not allow: an application would have failed.
func (g *Generator) Run(ctx context.Context) (Stats, error) {
	conn, err := open(ctx, g.uri)
	if err != nil {
		return g.Stats(), err
	}
	known, err := readCatalog(ctx, conn, g.o)
	if err = errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx))); err != nil {
		return g.Stats(), err
	}
	group, gctx := errgroup.WithContext(ctx)
	for i := range g.o.Sessions {
		group.Go(func() error {
			s := &session{g: g, catalog: known, number: i, r: rand.New(rand.NewPCG(g.o.Seed, uint64(i)))}
			return errors.Wrapf(s.run(gctx), "workload session %d", errors.Safe(i))
		})
	}
	err = group.Wait()
	return g.Stats(), err
}

// reconnectFor bounds how long a session waits for its server to come back.
const reconnectFor = time.Minute

// reopen opens a connection, again and again while the server does not answer.
func reopen(ctx context.Context, uri string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, reconnectFor)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := open(ctx, uri)
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// open connects with settings that neither hang nor change what is written.
func open(ctx context.Context, uri string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, uri)
	if err != nil {
		return nil, errors.Wrap(err, "connect the workload")
	}
	_, err = conn.Exec(ctx, `SET search_path = ''; SET lock_timeout = '10s'; SET statement_timeout = '2min';
		SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET timezone = 'UTC';
		SET application_name = 'walferry/workload'`)
	if err != nil {
		return nil, errors.CombineErrors(errors.Wrap(err, "set up the workload's session"), conn.Close(ctx))
	}
	return conn, nil
}
