package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/server"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// runMigrate runs one of the engine's long commands and prints its summary. Of
// several databases there is one also when some have failed.
func (a *app) runMigrate(cmd *cobra.Command, o engine.MigrateOptions, run func(context.Context, engine.MigrateOptions) (*status.Summary, error)) (err error) {
	connection, display, err := a.connection()
	if err != nil {
		return err
	}
	o.Connection = connection
	if a.listen != "" {
		page, err := a.serve(cmd.Context(), &o.Connection)
		if err != nil {
			return errors.CombineErrors(err, display.Close())
		}
		defer func() { err = errors.CombineErrors(err, page.Close()) }()
	}
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

// serve shows the run as --listen says.
func (a *app) serve(ctx context.Context, c *engine.Connection) (*server.Server, error) {
	read := *c
	read.Logger, read.Progress = nil, nil
	v, _ := buildVersion()
	page, err := server.Start(ctx, server.Options{
		Address: a.listen, Name: a.name, Version: v, Logger: c.Logger,
		Status: func(ctx context.Context) (*status.Status, error) { return engine.Status(ctx, read) },
	})
	if err != nil {
		return nil, err
	}
	show := c.Progress
	c.Progress = func(p status.Progress) {
		show(p)
		page.Show(p)
	}
	return page, nil
}

func (a *app) listenFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.listen, "listen", "", "serve a status page, /metrics, /healthz and /status.json at this address, such as 127.0.0.1:8080")
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return errors.Wrap(encoder.Encode(v), "write the result")
}
