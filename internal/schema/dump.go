package schema

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/retry"
)

// Options says what to dump and how. Conninfo and PGBin are needed.
type Options struct {
	PGBin PGBin
	// Conninfo is a libpq connection string of the source without a password:
	// other users of the machine can read it. Env holds further environment
	// entries for pg_dump, such as PGPASSWORD=….
	Conninfo string
	Env      []string
	// Snapshot is an exported snapshot to read the definitions in. Default: the
	// present state.
	Snapshot string
	// ExcludeSchemas are psql patterns of schemas to leave out, with all that is
	// in them. The schema walferry is never dumped.
	ExcludeSchemas []string
	// NoExtensions leaves out every CREATE EXTENSION, ExcludeExtensions those of
	// the named extensions. What needs them is kept: they may be on the target
	// already.
	NoExtensions      bool
	ExcludeExtensions []string
	// Choice is what of the database was chosen; nil means all.
	Choice *Choice
	// NoOwner gives everything to the role that restores.
	NoOwner bool
	// Logger receives pg_dump's warnings. Default: discarded.
	Logger *slog.Logger
}

// Dump reads the definitions of the source's database with pg_dump and returns
// them in the order in which they run, with what has no entry.
//
// The whole schema is dumped also when only some tables are chosen: a table
// needs types, functions and extensions that pg_dump's own patterns leave out.
// pg_dump needs SELECT on every table, and waits for tables that are being
// altered.
func Dump(ctx context.Context, o Options) ([]Entry, []LeftOut, error) {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	data, err := run(ctx, o, logger)
	if err != nil {
		return nil, nil, err
	}
	items, err := readArchive(data)
	if err != nil {
		return nil, nil, err
	}
	items, unmoved := o.Choice.choose(items)
	entries, leftOut := arrange(items, o)
	return entries, append(leftOut, unmoved...), nil
}

// The archive goes through a pipe: a schema fits into memory, and no copy of it
// stays behind on disk when the process is killed.
func run(ctx context.Context, o Options, logger *slog.Logger) ([]byte, error) {
	// Both sections instead of --schema-only, which would forget which
	// materialized views are filled.
	args := []string{
		"--format=custom", "--section=pre-data", "--section=post-data", "--no-blobs", "--encoding=UTF8",
		"--no-password", "--exclude-schema=walferry", "--dbname=" + o.Conninfo,
	}
	for _, pattern := range o.ExcludeSchemas {
		args = append(args, "--exclude-schema="+pattern)
	}
	if o.Snapshot != "" {
		args = append(args, "--snapshot="+o.Snapshot)
	}
	cmd := exec.CommandContext(ctx, o.PGBin.Dump, args...)
	// Of two entries for one variable the later one counts.
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	messages := strings.TrimSpace(stderr.String())
	if ctx.Err() != nil {
		return nil, errors.Wrap(context.Cause(ctx), "dump the schema")
	}
	if err != nil {
		err = errors.Wrapf(err, "dump the schema with %s", o.PGBin.Dump)
		if strings.Contains(messages, "deadlock detected") {
			// With an application that locks several tables, in another order.
			err = errors.Mark(err, retry.ErrTransient)
		}
		return nil, errors.WithDetail(err, messages)
	}
	if messages != "" {
		logger.WarnContext(ctx, "pg_dump warned", "message", messages)
	}
	return stdout.Bytes(), nil
}
