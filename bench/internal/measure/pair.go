package measure

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

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

// Pair is a source, a target and the program to measure.
type Pair struct {
	Source, Target *pgserver.Server
	Walferry       string // the program
	// Versions are of the servers and the program, Settings what the servers say.
	Versions, Settings map[string]string

	progress io.Writer
	dir      string // holds what is built; it is removed in the end
}

// Options say what to start. Walferry is the program; empty: it is built.
type Options struct {
	SourceMajor, TargetMajor int
	Walferry                 string
	// Settings are of both servers, above the usual ones.
	Settings map[string]string
	// Progress is told what goes on.
	Progress io.Writer
}

// NewPair starts the servers and builds walferry. The caller must call Close.
func NewPair(ctx context.Context, o Options) (_ *Pair, err error) {
	p := &Pair{Walferry: o.Walferry, progress: o.Progress}
	defer func() { //nolint:contextcheck // cleans up whatever ended ctx
		if err != nil {
			err = errors.CombineErrors(err, p.Close())
		}
	}()
	all := maps.Clone(settings)
	maps.Copy(all, o.Settings)
	p.Tell("starting PostgreSQL %d and %d", o.SourceMajor, o.TargetMajor)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		p.Source, err = pgserver.Start(gctx, pgserver.Options{Major: o.SourceMajor, Settings: all})
		return errors.Wrap(err, "start the source")
	})
	g.Go(func() (err error) {
		p.Target, err = pgserver.Start(gctx, pgserver.Options{Major: o.TargetMajor, Settings: all})
		return errors.Wrap(err, "start the target")
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if p.Walferry == "" {
		p.Tell("building walferry")
		if p.dir, err = os.MkdirTemp("", "walferry-bench-"); err != nil {
			return nil, errors.Wrap(err, "make a directory for the program")
		}
		p.Walferry = filepath.Join(p.dir, "walferry")
		out, err := exec.CommandContext(ctx, "go", "build", "-o", p.Walferry, "github.com/walferry/walferry/cmd/walferry").CombinedOutput()
		if err != nil {
			return nil, errors.WithDetailf(errors.Wrap(err, "build walferry"), "%s", out)
		}
	}
	return p, p.describe(ctx, slices.Collect(maps.Keys(all)))
}

// Close stops the servers and removes what was built.
func (p *Pair) Close() error {
	var err error
	for _, s := range []*pgserver.Server{p.Source, p.Target} {
		if s != nil {
			err = errors.CombineErrors(err, s.Stop())
		}
	}
	if p.dir != "" {
		err = errors.CombineErrors(err, os.RemoveAll(p.dir))
	}
	return err
}

// describe asks the programs for their versions and the servers for what the
// settings are.
func (p *Pair) describe(ctx context.Context, settings []string) error {
	p.Versions, p.Settings = map[string]string{}, map[string]string{}
	for name, s := range map[string]*pgserver.Server{"source": p.Source, "target": p.Target} {
		conn, err := Connect(ctx, s.URI("postgres"))
		if err != nil {
			return err
		}
		defer conn.Close(ctx) //nolint:errcheck // nothing is lost
		if p.Versions[name], err = Scan[string](ctx, conn, "SELECT current_setting('server_version')"); err != nil {
			return err
		}
		for _, setting := range settings {
			value, err := Scan[string](ctx, conn, "SELECT current_setting($1)", setting)
			if err != nil {
				return err
			}
			p.Settings[setting] = value
		}
	}
	out, err := exec.CommandContext(ctx, p.Walferry, "version").Output()
	if err != nil {
		return errors.Wrapf(err, "ask %s for its version", p.Walferry)
	}
	p.Versions["walferry"] = FirstLine(string(out))
	return nil
}

// CPU returns the CPU seconds that source and target have used so far.
func (p *Pair) CPU() (used [2]float64, err error) {
	if used[0], err = TreeCPU(p.Source.DataDir()); err != nil {
		return used, err
	}
	used[1], err = TreeCPU(p.Target.DataDir())
	return used, err
}

// Tell reports progress; a terminal that is gone is no reason to stop.
func (p *Pair) Tell(format string, args ...any) {
	_, _ = fmt.Fprintf(p.progress, format+"\n", args...)
}

// FirstLine returns the first line of a text.
func FirstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// DropDatabases drops databases of a server, if they exist.
func DropDatabases(ctx context.Context, server *pgserver.Server, names ...string) error {
	var statements []string
	for _, name := range names {
		statements = append(statements, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
	}
	return Execute(ctx, server.URI("postgres"), statements...)
}

// Connect opens a connection.
func Connect(ctx context.Context, uri string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, uri)
	return conn, errors.Wrap(err, "connect")
}

// Execute runs statements, one after the other, on a connection of its own.
func Execute(ctx context.Context, uri string, statements ...string) error {
	conn, err := Connect(ctx, uri)
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

// Scan returns the one value of a query.
func Scan[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) (T, error) {
	var value T
	err := conn.QueryRow(ctx, sql, args...).Scan(&value)
	return value, errors.Wrapf(err, "run %.60s", sql)
}
