package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/status"
)

// runMigrate runs one of the engine's long commands and prints its summary.
func (a *app) runMigrate(cmd *cobra.Command, o engine.MigrateOptions, run func(context.Context, engine.MigrateOptions) (*status.Summary, error)) error {
	connection, display, err := a.connection()
	if err != nil {
		return err
	}
	o.Connection = connection
	summary, err := run(cmd.Context(), o)
	if err := errors.CombineErrors(err, display.Close()); err != nil {
		return err
	}
	if a.json {
		return printJSON(a.stdout, summary)
	}
	return printSummary(a.stdout, summary)
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return errors.Wrap(encoder.Encode(v), "write the result")
}
