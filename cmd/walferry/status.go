package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"
	xterm "golang.org/x/term"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/term"
)

func newStatus(a *app) *cobra.Command {
	var watch bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "status -s SOURCE -t TARGET",
		Short: "Show the state of a migration, running or not",
		Long: `Shows how far a migration is: its phase and who runs it, how far what is received, applied
and durable stands behind the source in bytes and in time, what the slot keeps and what
becomes of that at the present speed, its tables, what blocks it, and what to run next.

Seconds say how long ago the source was where the target is; they are 0 when nothing is missing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			connection, display, err := a.connection()
			if err != nil {
				return err
			}
			ctx, end := a.untilStopped(cmd.Context())
			defer end()
			err = a.showStatus(ctx, connection, watch, interval)
			if watch && errors.Is(context.Cause(ctx), errInterrupted) {
				err = nil // that is how a watch ends
			}
			return errors.CombineErrors(err, display.Close())
		},
	}
	a.connectFlags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&watch, "watch", "w", false, "show it again and again; on a terminal in place")
	f.DurationVar(&interval, "interval", 2*time.Second, "how often, with --watch")
	return cmd
}

// showStatus prints the status once, or until ctx ends.
func (a *app) showStatus(ctx context.Context, c engine.Connection, watch bool, interval time.Duration) error {
	if interval <= 0 {
		return errors.New("--interval must be positive")
	}
	out, isFile := a.stdout.(*os.File)
	redraw := watch && !a.json && isFile && xterm.IsTerminal(int(out.Fd()))
	for {
		s, err := engine.Status(ctx, c)
		if err != nil {
			return err
		}
		var page bytes.Buffer
		switch {
		case a.json:
			err = printJSON(&page, s)
		case redraw:
			page.WriteString("\x1b[H\x1b[2J")
			err = printStatus(&page, s)
		default:
			err = printStatus(&page, s)
		}
		if err == nil {
			_, err = a.stdout.Write(page.Bytes())
		}
		if err != nil || !watch {
			return errors.Wrap(err, "write the status")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(interval):
		}
	}
}

// untilStopped returns a context that ends with the first signal, for commands that have
// nothing to save.
func (a *app) untilStopped(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-a.stop:
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		wg.Wait()
	}
}

var errInterrupted = errors.New("interrupted")

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func printStatus(w io.Writer, s *status.Status) error {
	p := &printer{w: w}
	for _, d := range s.Databases {
		p.printf("migration %s of database %s: %s\n", s.Name, d.Database, d.Phase)
		if d.Running != nil {
			p.printf("running     walferry %s of %s since %s, from %s as %s\n", d.Running.Command, d.Running.By,
				d.Running.Since.UTC().Format("2006-01-02 15:04:05Z"), d.Running.Address, d.Running.User)
		} else {
			p.printf("running     no\n")
		}
		if d.Error != "" {
			p.printf("last error  %s\n", d.Error)
		}
		p.printf("source      %s\n", d.LSN.Source)
		p.printf("received    %s  %s, %.1f s behind\n", d.LSN.Received, term.Bytes(d.Lag.ReceivedBytes), d.Lag.ReceivedSeconds)
		p.printf("applied     %s  %s, %.1f s behind\n", d.LSN.Applied, term.Bytes(d.Lag.Bytes), d.Lag.Seconds)
		p.printf("durable     %s  %s, %.1f s behind\n", d.LSN.Durable, term.Bytes(d.Lag.DurableBytes), d.Lag.DurableSeconds)
		if f := d.Forecast; f != nil {
			p.printf("forecast    %s; the source writes %s/s, %s/s are applied\n", f.Text,
				term.Bytes(int64(f.SourceBytesPerSecond)), term.Bytes(int64(f.AppliedBytesPerSecond)))
		}
		if d.Slot.Name != "" {
			limit := "; nothing limits it"
			if d.Slot.SafeWALSize != nil {
				limit = " of " + term.Bytes(d.Slot.RetainedBytes+*d.Slot.SafeWALSize) + ", then it is lost"
			}
			p.printf("slot        %s %s, retains %s%s\n", d.Slot.Name, d.Slot.WALStatus, term.Bytes(d.Slot.RetainedBytes), limit)
		}
		if v := d.Verified; v != nil {
			p.printf("verified    equal: %t, at %s, %s\n", v.Equal, v.LSN, v.At.UTC().Format("2006-01-02 15:04:05Z"))
		}
		if d.Rung != "" {
			p.printf("triggers    kept from acting by %s\n", d.Rung)
		}
		p.table(d.Tables)
		p.cutover(d.Cutover)
		p.list("warning     ", d.Warnings)
		p.list("blocked by  ", d.BlockedBy)
		p.list("next        ", d.Next)
	}
	return errors.Wrap(p.err, "write the status")
}

func (p *printer) list(label string, lines []string) {
	for _, line := range lines {
		p.printf("%s%s\n", label, line)
	}
}

func (p *printer) table(tables []status.Table) {
	if len(tables) == 0 || p.err != nil {
		return
	}
	tw := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	inner := &printer{w: tw}
	inner.printf("table\tstate\trows copied\tbytes\tseconds\tmissed updates\tmissed deletes\twritten\tremark\n")
	for _, t := range tables {
		inner.printf("%s\t%s\t%d\t%s\t%.1f\t%d\t%d\t%s\t%s\n", t.Table, t.State, t.Rows, term.Bytes(t.Bytes), t.Seconds, t.MissedUpdates, t.MissedDeletes, written(t), t.Remark())
	}
	p.err = errors.CombineErrors(inner.err, tw.Flush())
}

// total adds up what was copied.
func (p *printer) total(tables []status.Table) {
	var copied int
	var rows, bytes int64
	for _, t := range tables {
		if t.State == "skipped" {
			continue
		}
		copied++
		rows += t.Rows
		bytes += t.Bytes
	}
	p.printf("tables copied: %d of %d, %d rows, %s\n", copied, len(tables), rows, term.Bytes(bytes))
}

// written is how the changes of a table are applied.
func written(t status.Table) string {
	switch {
	case t.State == "skipped":
		return "not"
	case t.RowByRow != "":
		return "row by row"
	}
	return "as sets"
}

func printSummary(w io.Writer, s *status.Summary) error {
	p := &printer{w: w}
	if s.Database == "" {
		printDatabases(p, s)
		return errors.Wrap(p.err, "write the summary")
	}
	p.printf("migration %s of database %s: %s, method %s\n", s.Name, s.Database, s.Status, s.Method)
	p.table(s.Tables)
	p.total(s.Tables)
	if s.SequencesSet > 0 {
		p.printf("sequences set: %d\n", s.SequencesSet)
	}
	if s.LargeObjects > 0 {
		p.printf("large objects: %d\n", s.LargeObjects)
	}
	p.cutover(s.Cutover)
	p.roles(s.Roles)
	p.list("skipped: ", s.Skipped)
	p.list("warning: ", s.Warnings)
	return errors.Wrap(p.err, "write the summary")
}

// printDatabases prints the summaries of several databases, then what they share.
func printDatabases(p *printer, s *status.Summary) {
	for _, d := range s.Databases {
		if d.Summary == nil {
			p.printf("migration %s of database %s: %s", s.Name, d.Database, d.Status)
			if d.Message != "" {
				p.printf(": %s", d.Message)
			}
			p.printf("\n")
			continue
		}
		one := *d.Summary
		one.Roles = nil
		p.err = errors.CombineErrors(p.err, printSummary(p.w, &one))
	}
	p.roles(s.Roles)
}

// roles counts the roles by what became of them, and names those to look at.
func (p *printer) roles(roles []status.Role) {
	if len(roles) == 0 {
		return
	}
	count := map[string]int{}
	for _, r := range roles {
		count[r.Status]++
	}
	p.printf("roles: %d created, %d existed, %d failed\n", count["created"], count["exists"], count["failed"])
	for _, r := range roles {
		if r.Message != "" {
			p.printf("role %s: %s: %s\n", r.Name, r.Status, r.Message)
		}
		if r.Password != "" {
			p.printf("role %s: password %s\n", r.Name, r.Password)
		}
	}
}
