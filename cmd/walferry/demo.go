package main

import (
	"context"
	"io"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/demo"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/term"
)

func newDemo(a *app) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Migrate a live database between two throw-away servers, in about a minute",
		Long: `Starts two PostgreSQL servers on this machine, fetching them where there are none,
loads a schema with everything that makes a migration hard, keeps several sessions
writing, and migrates it as walferry migrate does. Then it stops the writers, cuts over as
walferry cutover does, beside the running migrate and with every row verified, and compares
every table once more by other means. Nothing is left running.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("log-level") {
				a.logLevel = "warn" // the story tells the rest
			}
			ctx, end := a.untilStopped(cmd.Context())
			defer end()
			err := a.runDemo(ctx, o)
			if errors.Is(context.Cause(ctx), errInterrupted) {
				return errInterrupted
			}
			return err
		},
	}
	a.progressFlag(cmd)
	f := cmd.Flags()
	f.BoolVar(&a.json, "json", false, "print one JSON object on stdout")
	f.IntVar(&o.SourceMajor, "source-version", 0, "the source's major version (default: the oldest that is installed)")
	f.IntVar(&o.TargetMajor, "target-version", 0, "the target's major version (default: the newest that is installed)")
	f.IntVar(&o.Scale, "scale", 15, "how many times some ten thousand rows to load")
	f.IntVar(&o.Writers, "writers", 4, "sessions that write to the source")
	f.DurationVar(&o.Duration, "duration", 20*time.Second, "how long they go on after the copy")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of what they write")
	return cmd
}

// runDemo runs a demo and tells its story.
func (a *app) runDemo(ctx context.Context, o demo.Options) (err error) {
	if o.Scale < 1 || o.Writers < 1 || o.Duration <= 0 {
		return errors.New("--scale, --writers and --duration must be positive")
	}
	log := &switchWriter{w: a.stderr}
	if o.Logger, err = a.logger(log); err != nil {
		return err
	}
	story := &printer{w: a.stdout}
	if a.json {
		story.w = io.Discard
	}
	o.Tell = func(line string) { story.printf("%s\n", line) }
	d, err := demo.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.CombineErrors(err, d.Stop()) }() //nolint:contextcheck // stops whatever ended ctx
	display, err := term.New(a.stderr, a.progressMode())
	if err != nil {
		return err
	}
	log.w = display
	err = d.Migrate(ctx, func(p status.Progress) { display.Show(p) })
	log.w = a.stderr
	if err := errors.CombineErrors(err, display.Close()); err != nil {
		return err
	}
	differ := d.Compare(ctx)
	if differ != nil && !errors.Is(differ, demo.ErrDiffer) {
		return differ
	}
	// The story ends with the servers being gone, so they go first.
	if err := d.Stop(); err != nil { //nolint:contextcheck // stops whatever ended ctx
		return errors.CombineErrors(err, differ)
	}
	if a.json {
		return errors.CombineErrors(differ, printJSON(a.stdout, d.Report()))
	}
	printDemo(story, d.Report())
	return errors.CombineErrors(differ, errors.Wrap(story.err, "write the story"))
}

func printDemo(p *printer, r *demo.Report) {
	p.printf("copied: %d tables, %d rows, %s, while %d sessions were writing\n", r.Tables, r.RowsCopied, term.Bytes(r.BytesCopied), r.Writers)
	p.printf("written: %d transactions, %d rows, and %d transactions that were aborted\n", r.Committed, r.RowsWritten, r.Aborted)
	p.printf("applied: %d transactions, %d changes, until the writers stopped; lag then %s\n", r.Transactions, r.Changes, term.Bytes(r.LagBytes))
	p.printf("cut over: drained, %d sequences set, keys and triggers restored, every row verified, in %.1f s\n", r.SequencesSet, r.DrainSeconds)
	p.printf("closed: for %.1f s until the cutover was decided, the source could not be written to\n", r.ClosedSeconds)
	p.list("not moved: ", r.Skipped)
	p.list("warning: ", r.Warnings)
	verdict := "equal"
	if !r.Equal {
		verdict = "NOT EQUAL"
	}
	p.printf("compared: %d tables, %d rows, %d sequences: %s\n", r.TablesCompared, r.RowsCompared, r.SequencesCompared, verdict)
	p.printf("It took %.0f s. Both servers are gone; for your own: walferry migrate -s SOURCE -t TARGET\n", r.Seconds)
}

// switchWriter lets the log go above the progress bar while there is one.
type switchWriter struct{ w io.Writer }

func (s *switchWriter) Write(b []byte) (int, error) { return s.w.Write(b) }
