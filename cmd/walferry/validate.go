package main

import (
	"io"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/validate"
)

func newValidate(a *app) *cobra.Command {
	var o engine.MigrateOptions
	cmd := &cobra.Command{
		Use:   "validate -s SOURCE -t TARGET",
		Short: "Check whether a migration can work; changes nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			connection, display, err := a.connection()
			if err != nil {
				return err
			}
			o.Connection = connection
			ctx, end := a.untilStopped(cmd.Context())
			defer end()
			report, err := engine.Validate(ctx, o)
			if err := errors.CombineErrors(err, display.Close()); err != nil {
				return err
			}
			if a.json {
				err = printJSON(a.stdout, report)
			} else {
				err = printReport(a.stdout, report)
			}
			if err == nil && !report.OK() {
				err = errNo
			}
			return err
		},
	}
	a.connectFlags(cmd)
	copyFlags(cmd, &o)
	schemaFlags(cmd, &o)
	streamFlags(cmd, &o.StreamOptions)
	return cmd
}

func printReport(w io.Writer, report validate.Report) error {
	p := &printer{w: w}
	p.findings(report)
	if report.OK() {
		p.printf("Nothing blocks the migration.\n")
	} else {
		p.printf("The migration is blocked.\n")
	}
	return errors.Wrap(p.err, "write the report")
}

func (p *printer) findings(report validate.Report) {
	for _, f := range report.Findings {
		p.printf("%-7s %s", f.Severity, f.ID)
		if f.Object != "" {
			p.printf(" (%s)", f.Object)
		}
		p.printf(": %s\n", f.Message)
		if f.Detail != "" {
			p.printf("        detail: %s\n", f.Detail)
		}
		if f.Hint != "" {
			p.printf("        hint: %s\n", f.Hint)
		}
	}
}
