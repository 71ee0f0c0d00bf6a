package main

import (
	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
)

func newValidate(a *app) *cobra.Command {
	var o engine.MigrateOptions
	cmd := &cobra.Command{
		Use:   "validate -s SOURCE -t TARGET",
		Short: "Check whether a migration can work; changes nothing",
		Long: `Says what would stop a migration or surprise somebody, and what to run on which
side, before anything is changed. What it tries out is rolled back. All findings
are described in docs/reference/validate.md.

Exit status: 0 when nothing blocks, 2 when something does.`,
		Args: cobra.NoArgs,
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
	cmd.Flags().DurationVar(&o.Measure, "measure", 0, "read the largest table and watch the WAL for this long each, for an estimate of the copy's time and the slot's disk (such as 5s)")
	return cmd
}
