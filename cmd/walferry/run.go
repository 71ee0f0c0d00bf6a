package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// runMigrate runs one of the engine's long commands and prints its summary. Of
// several databases there is one also when some have failed.
func (a *app) runMigrate(cmd *cobra.Command, o engine.MigrateOptions, run func(context.Context, engine.MigrateOptions) (*status.Summary, error)) error {
	connection, display, err := a.connection()
	if err != nil {
		return err
	}
	o.Connection = connection
	summary, err := run(cmd.Context(), o)
	err = errors.CombineErrors(err, display.Close())
	if summary == nil {
		return err
	}
	if a.json {
		return errors.CombineErrors(err, printJSON(a.stdout, summary))
	}
	return errors.CombineErrors(err, printSummary(a.stdout, summary))
}

// ofDatabases is a command of the engine that the flags --database and its like choose databases for.
func ofDatabases(command target.Command) func(context.Context, engine.MigrateOptions) (*status.Summary, error) {
	return func(ctx context.Context, o engine.MigrateOptions) (*status.Summary, error) {
		return engine.Databases(ctx, o, command)
	}
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return errors.Wrap(encoder.Encode(v), "write the result")
}
