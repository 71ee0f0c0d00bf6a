package main

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/status"
)

func newVerify(a *app) *cobra.Command {
	var o engine.VerifyOptions
	cmd := &cobra.Command{
		Use:   "verify -s SOURCE -t TARGET",
		Short: "Compare the rows of both sides at one position of the source, also while both are written",
		Long: `Compares every row of both sides at one position (LSN) of the source, then sequences and
the schema's objects. Both sides may be written meanwhile: a temporary slot exports a
snapshot of the source, the running walferry applies exactly up to there, exports the
target's snapshot, and goes on. Where none runs, verify applies what is left itself.
Once nothing is applied anymore, after a cutover or a dump, both sides are compared as
they stand, which is exact only while nobody writes.

The servers hash and add up rows; each table is read once on each side. Exit status 0
says that all is equal, 2 that something differs. What is kept back until the cutover,
sequences and foreign keys among it, is told but is no difference until then. An
interrupted verify goes on where it was when it is run again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			connection, display, err := a.connection()
			if err != nil {
				return err
			}
			o.Connection = connection
			v, err := engine.Verify(cmd.Context(), o)
			if err := errors.CombineErrors(err, display.Close()); err != nil {
				return err
			}
			if a.json {
				err = printJSON(a.stdout, v)
			} else {
				err = printVerification(a.stdout, v)
			}
			if err == nil && !v.Equal {
				err = errNo
			}
			return err
		},
	}
	a.connectFlags(cmd)
	a.progressFlag(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.Filter.Tables, "table", nil, "compare only tables that match the psql pattern (repeatable)")
	f.StringArrayVar(&o.Filter.ExcludeTables, "exclude-table", nil, "leave out tables that match the pattern (repeatable)")
	f.StringArrayVar(&o.Filter.Schemas, "schema", nil, "compare only tables of schemas that match the pattern (repeatable)")
	f.StringArrayVar(&o.Filter.ExcludeSchemas, "exclude-schema", nil, "leave out schemas that match the pattern (repeatable)")
	f.IntVarP(&o.Jobs, "jobs", "j", 0, "connections that read on each side (default: the number of CPUs, at most 4)")
	f.IntVar(&o.Samples, "samples", 10, "rows to show of a table that differs; the counts are exact")
	f.DurationVar(&o.SnapshotFor, "snapshot-for", 30*time.Minute, "how long snapshots are held, which keep both sides from vacuuming; tables not begun by then are compared at a later position")
	f.BoolVar(&o.Restart, "restart", false, "do not go on with a verify that was interrupted")
	f.BoolVar(&o.RowsOnly, "rows-only", false, "leave out sequences and the schema's objects")
	f.StringVar(&o.SpillDir, "spill-dir", "", "as with migrate, for what has to be applied first")
	return cmd
}

func printVerification(w io.Writer, v *status.Verification) error {
	p := &printer{w: w}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	inner := &printer{w: tw}
	inner.printf("table\tresult\tsource rows\ttarget rows\tmissing\textra\tchanged\tlsn\tremark\n")
	differ := 0
	for _, t := range v.Tables {
		result := "equal"
		if !t.Equal {
			result = "DIFFERS"
			differ++
		}
		remark := t.Problem
		if remark == "" {
			remark = t.Remark
		}
		inner.printf("%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", in(t.Database)+t.Table, result, t.SourceRows, t.TargetRows, t.Missing, t.Extra, t.Changed, t.LSN, remark)
	}
	if len(v.Tables) > 0 {
		p.err = errors.CombineErrors(inner.err, tw.Flush())
	}
	for _, t := range v.Tables {
		for _, d := range t.Differences {
			p.printf("%s: %s %s", in(t.Database)+t.Table, d.Kind, keyText(d.Key))
			if len(d.Columns) > 0 {
				p.printf(" in %s", strings.Join(d.Columns, ", "))
			}
			p.printf("\n")
		}
		if more := t.Missing + t.Extra + t.Changed - int64(len(t.Differences)); more > 0 && len(t.Differences) > 0 {
			p.printf("%s: … and %d more\n", in(t.Database)+t.Table, more)
		}
	}
	p.list("skipped: ", v.Skipped)
	held := 0
	for _, s := range v.Sequences {
		if s.Held {
			held++
			continue
		}
		differ++
		p.printf("sequence %s: %s\n", in(s.Database)+s.Sequence, s.Problem)
	}
	if held > 0 {
		p.printf("until the cutover: %d sequences are behind\n", held)
	}
	for _, o := range v.Objects {
		until := ""
		if o.Held {
			until = "until the cutover: "
		} else {
			differ++
		}
		p.printf("%s%s %s: %s\n", until, strings.ToLower(o.Kind), in(o.Database)+o.Object, o.Problem)
	}
	at := "as both sides stood, at " + v.LSN
	if v.Aligned {
		at = "at " + v.LSN
	}
	if v.Equal {
		p.printf("Equal: %d tables %s.\n", len(v.Tables), at)
	} else {
		p.printf("Not equal: %d differences between %d tables, sequences and objects, %s.\n", differ, len(v.Tables), at)
	}
	return errors.Wrap(p.err, "write the result")
}

// in is what a name is prefixed with where there are several databases.
func in(database string) string {
	if database == "" {
		return ""
	}
	return database + "."
}

// keyText is a key as `id=7, region='eu'` would be read aloud: names in order, NULL bare.
func keyText(key map[string]*string) string {
	names := make([]string, 0, len(key))
	for name := range key {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		value := "NULL"
		if key[name] != nil {
			value = strconv.Quote(*key[name])
		}
		names[i] = name + "=" + value
	}
	return strings.Join(names, ", ")
}
