package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/internal/pgserver"
)

// settings of both servers: durable as in production, and without autovacuum,
// whose moments would decide which drain looks slow.
var settings = map[string]string{
	"wal_level":                       "logical",
	"fsync":                           "on",
	"full_page_writes":                "on",
	"shared_buffers":                  "256MB",
	"max_wal_size":                    "8GB",
	"checkpoint_timeout":              "30min",
	"autovacuum":                      "off",
	"max_replication_slots":           "10",
	"max_wal_senders":                 "10",
	"max_logical_replication_workers": "10",
}

// bench is a pair of servers and the program to measure.
type bench struct {
	o              options
	progress       io.Writer
	source, target *pgserver.Server
	walferry       string
	// dir holds what is built; it is removed in the end.
	dir      string
	versions map[string]string
	shown    map[string]string // settings, as the servers tell them
}

// newBench starts the servers and builds walferry. The caller must call close.
func newBench(ctx context.Context, o options, progress io.Writer) (_ *bench, err error) {
	b := &bench{o: o, progress: progress, walferry: o.walferry}
	defer func() { //nolint:contextcheck // cleans up whatever ended ctx
		if err != nil {
			err = errors.CombineErrors(err, b.close())
		}
	}()
	b.tell("starting PostgreSQL %d and %d", o.sourceMajor, o.targetMajor)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		b.source, err = pgserver.Start(gctx, pgserver.Options{Major: o.sourceMajor, Settings: settings})
		return errors.Wrap(err, "start the source")
	})
	g.Go(func() (err error) {
		b.target, err = pgserver.Start(gctx, pgserver.Options{Major: o.targetMajor, Settings: settings})
		return errors.Wrap(err, "start the target")
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "walferry-bench-"); err != nil {
		return nil, errors.Wrap(err, "make a directory for the program")
	}
	if b.walferry == "" {
		b.tell("building walferry")
		b.walferry = filepath.Join(b.dir, "walferry")
		out, err := exec.CommandContext(ctx, "go", "build", "-o", b.walferry, "github.com/walferry/walferry/cmd/walferry").CombinedOutput()
		if err != nil {
			return nil, errors.WithDetailf(errors.Wrap(err, "build walferry"), "%s", out)
		}
	}
	return b, b.describe(ctx)
}

func (b *bench) close() error {
	var err error
	for _, s := range []*pgserver.Server{b.source, b.target} {
		if s != nil {
			err = errors.CombineErrors(err, s.Stop())
		}
	}
	if b.dir != "" {
		err = errors.CombineErrors(err, os.RemoveAll(b.dir))
	}
	return err
}

// describe asks the programs for their versions and the servers for what the
// settings are.
func (b *bench) describe(ctx context.Context) error {
	b.versions, b.shown = map[string]string{}, map[string]string{"writer synchronous_commit": "off"}
	for name, s := range map[string]*pgserver.Server{"source": b.source, "target": b.target} {
		conn, err := connect(ctx, s.URI("postgres"))
		if err != nil {
			return err
		}
		defer conn.Close(ctx) //nolint:errcheck // nothing is lost
		if b.versions[name], err = scan[string](ctx, conn, "SELECT current_setting('server_version')"); err != nil {
			return err
		}
		for setting := range settings {
			value, err := scan[string](ctx, conn, "SELECT current_setting($1)", setting)
			if err != nil {
				return err
			}
			b.shown[setting] = value
		}
	}
	if b.o.native != "" {
		b.shown["subscription"] = strconv.Quote(b.o.native)
	}
	out, err := exec.CommandContext(ctx, b.walferry, "version").Output()
	if err != nil {
		return errors.Wrapf(err, "ask %s for its version", b.walferry)
	}
	b.versions["walferry"] = firstLine(string(out))
	return nil
}

// tell reports progress; a terminal that is gone is no reason to stop.
func (b *bench) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, format+"\n", args...)
}

func connect(ctx context.Context, uri string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, uri)
	return conn, errors.Wrap(err, "connect")
}

// execute runs statements, one after the other, on a connection of its own.
func execute(ctx context.Context, uri string, statements ...string) error {
	conn, err := connect(ctx, uri)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return errors.Wrapf(err, "run %.60s", sql)
		}
	}
	return nil
}

// scan returns the one value of a query.
func scan[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) (T, error) {
	var value T
	err := conn.QueryRow(ctx, sql, args...).Scan(&value)
	return value, errors.Wrapf(err, "run %.60s", sql)
}
