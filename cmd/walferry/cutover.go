package main

import (
	"text/tabwriter"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/validate"
)

func newCutover(a *app) *cobra.Command {
	var o engine.CutoverOptions
	var abort, verify, noVerify bool
	cmd := &cobra.Command{
		Use:   "cutover -s SOURCE -t TARGET",
		Short: "End a migration: close the source to writers, make the target complete, decide",
		Long: `Takes the migration over from the walferry migrate that is at work, if one is, waits until
little is left to apply, and runs named steps:

  fence      close the source to writers and end their sessions
  final-lsn  wait for open transactions that have written, take the source's position
  drain      apply everything until there
  sequences  set them, those of identity columns too, and check them
  objects    large objects, rows of unlogged tables
  schema     foreign keys (NOT VALID), triggers, rules, policies, identity, materialized views
  validate   the foreign keys
  analyze    the planner's statistics
  verify     compare every row of both sides (--verify)
  quiet      make sure that nothing was written to the source since
  decide     the point of no return: one row on the target
  release    drop the slot and the publications on the source
  done

Until decide, a failure, a refusing hook or the timeout opens the source again, and
walferry migrate goes on. After it there is only forward: run the same command again.
So does a cutover that was killed. Never are both sides writers: the source is closed
from fence on, and the target complete at decide; then the application gets its new address.

--fence read-only sets default_transaction_read_only for the database and ends the
sessions that began before. A session may override that default on purpose: the step quiet
finds what it wrote.

Hooks are executables walferry-on-<step> in a directory, each run just before its step, and
walferry-on-reopen after the source was opened again. One that does not exit with 0 refuses
the step. They find WALFERRY_STEP, _NAME, _DATABASE, _FENCE, _FINAL_LSN, _DECIDED and
_SECONDS_LEFT in their environment.`,
		Example: `  walferry cutover -s … -t … --dry-run
  walferry cutover -s … -t … --timeout 2m --hooks ./hooks
  walferry cutover -s … -t … --abort`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case verify && noVerify:
				return errors.New("--verify and --no-verify exclude each other")
			case verify:
				o.Verify = engine.On
			case noVerify:
				o.Verify = engine.Off
			}
			if abort {
				return a.abortCutover(cmd, o)
			}
			return a.runCutover(cmd, o)
		},
	}
	a.connectFlags(cmd)
	a.progressFlag(cmd)
	f := cmd.Flags()
	f.Var(choice((*string)(&o.Fence), "read-only", "none"), "fence", "how the source is closed to writers: read-only, none (you stop them)")
	f.DurationVar(&o.Timeout, "timeout", 5*60*1e9, "open the source again when nothing is decided this long after it was closed")
	f.Int64Var(&o.MaxLag, "max-lag", 1<<20, "close the source once what is applied is within this many bytes of it")
	f.BoolVar(&verify, "verify", false, "compare every row before deciding (default: when the tables are no larger than 1 GiB)")
	f.BoolVar(&noVerify, "no-verify", false, "do not")
	f.StringVar(&o.Hooks, "hooks", "", "directory of executables walferry-on-<step>")
	f.IntVarP(&o.Jobs, "jobs", "j", 0, "connections for what can be done at once (default: the number of CPUs, at most 8)")
	f.BoolVar(&o.DryRun, "dry-run", false, "run the checklist and say what every step would do; change nothing")
	f.BoolVar(&abort, "abort", false, "open the source again after a cutover that was killed before it decided")
	return cmd
}

func (a *app) runCutover(cmd *cobra.Command, o engine.CutoverOptions) error {
	connection, display, err := a.connection()
	if err != nil {
		return err
	}
	o.Connection, o.HookOutput = connection, display
	var report validate.Report
	o.Checked = func(r validate.Report) {
		report = r
		if !a.quiet && !a.json && !o.DryRun {
			p := &printer{w: display}
			p.findings(r)
		}
	}
	summary, err := engine.Cutover(cmd.Context(), o)
	if err := errors.CombineErrors(err, display.Close()); err != nil {
		return err
	}
	if a.json {
		return printJSON(a.stdout, summary)
	}
	if !o.DryRun {
		return printSummary(a.stdout, summary)
	}
	p := &printer{w: a.stdout}
	p.findings(report)
	p.cutover(summary.Cutover)
	return errors.Wrap(p.err, "write the plan")
}

func (a *app) abortCutover(cmd *cobra.Command, o engine.CutoverOptions) error {
	connection, display, err := a.connection()
	if err != nil {
		return err
	}
	o.Connection = connection
	opened, err := engine.AbortCutover(cmd.Context(), o)
	if err := errors.CombineErrors(err, display.Close()); err != nil {
		return err
	}
	if a.json {
		return printJSON(a.stdout, map[string]any{"schema_version": status.SchemaVersion, "opened": opened})
	}
	p := &printer{w: a.stdout}
	if opened {
		p.printf("The source is open to writers again.\n")
	} else {
		p.printf("The source was not closed.\n")
	}
	return p.err
}

// cutover prints the steps with their times, or what a dry run would have done.
func (p *printer) cutover(c *status.Cutover) {
	if c == nil || p.err != nil {
		return
	}
	tw := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	inner := &printer{w: tw}
	for i, s := range c.Steps {
		switch {
		case s.State == "planned":
			inner.printf("%s\n", s.Step)
			inner.list("  would ", s.Would)
			continue
		case i == 0:
			inner.printf("step\tstate\tseconds\tresult\n")
		}
		inner.printf("%s\t%s\t%.3f\t%s\n", s.Step, s.State, s.Seconds, s.Detail)
	}
	p.err = errors.CombineErrors(inner.err, tw.Flush())
	if c.FencedSeconds > 0 {
		p.printf("the source was closed for %.3f s when the cutover was decided, and stays closed\n", c.FencedSeconds)
	}
}
