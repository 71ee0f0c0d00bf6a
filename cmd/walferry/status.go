package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/term"
)

func newStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status -s SOURCE -t TARGET",
		Short: "Show the state of a migration, running or not",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			connection, display, err := a.connection()
			if err != nil {
				return err
			}
			s, err := engine.Status(cmd.Context(), connection)
			if err := errors.CombineErrors(err, display.Close()); err != nil {
				return err
			}
			if a.json {
				return printJSON(a.stdout, s)
			}
			return printStatus(a.stdout, s)
		},
	}
	a.connectFlags(cmd)
	return cmd
}

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
			p.printf("running     since %s, from %s as %s\n", d.Running.Since.UTC().Format("2006-01-02 15:04:05Z"), d.Running.Address, d.Running.User)
		} else {
			p.printf("running     no\n")
		}
		if d.Error != "" {
			p.printf("last error  %s\n", d.Error)
		}
		p.printf("lag         %s, %.1f s\n", term.Bytes(d.Lag.Bytes), d.Lag.Seconds)
		p.printf("lsn         source %s, received %s, applied %s, durable %s\n", d.LSN.Source, d.LSN.Received, d.LSN.Applied, d.LSN.Durable)
		if d.Slot.Name != "" {
			p.printf("slot        %s %s, retains %s\n", d.Slot.Name, d.Slot.WALStatus, term.Bytes(d.Slot.RetainedBytes))
		}
		if d.Rung != "" {
			p.printf("triggers    kept from acting by %s\n", d.Rung)
		}
		p.table(d.Tables)
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
	inner.printf("table\tstate\trows copied\tbytes\tseconds\tmissed updates\tmissed deletes\tremark\n")
	for _, t := range tables {
		inner.printf("%s\t%s\t%d\t%s\t%.1f\t%d\t%d\t%s\n", t.Table, t.State, t.Rows, term.Bytes(t.Bytes), t.Seconds, t.MissedUpdates, t.MissedDeletes, remark(t))
	}
	p.err = errors.CombineErrors(inner.err, tw.Flush())
}

// remark is what else there is to say of a table.
func remark(t status.Table) string {
	if t.RowByRow != "" && t.Reason == "" {
		return "row by row: " + t.RowByRow
	}
	return t.Reason
}

func printSummary(w io.Writer, s *status.Summary) error {
	p := &printer{w: w}
	if s.Database == "" {
		printDatabases(p, s)
		return errors.Wrap(p.err, "write the summary")
	}
	p.printf("migration %s of database %s: %s, method %s\n", s.Name, s.Database, s.Status, s.Method)
	p.table(s.Tables)
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
