// Command copy measures how fast a table is copied and its index built: by walferry,
// by the native subscription's table synchronization, by pg_dump and pg_restore, and by
// nothing but COPY piped into COPY, in the same run on throw-away servers.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
)

// What walferry is to reach.
const (
	goalNative = 1.4  // times faster than native
	goalPipe   = 1.15 // times the seconds of the pipe, at most
	goalBytes  = 256 << 20
)

type options struct {
	args  []string // as given, for the report
	scale float64
	runs  int
	ways  []string // empty: all

	sourceMajor, targetMajor int
	walferry                 string
	walferryArgs             []string
	json                     string
}

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "copy: error: %v\n", err)
		for _, part := range []string{errors.FlattenDetails(err), errors.FlattenHints(err)} {
			if part != "" {
				fmt.Fprintf(os.Stderr, "copy: %s\n", part)
			}
		}
		os.Exit(1) //nolint:forbidigo // a command's exit status
	}
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{args: args}
	var extra, chosen string
	f := flag.NewFlagSet("copy", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Float64Var(&o.scale, "scale", 1, "size of the table, 1 for two million rows")
	f.IntVar(&o.runs, "runs", 1, "repetitions of every copy; medians are shown")
	f.StringVar(&chosen, "ways", "", "only these ways, separated by commas: "+strings.Join(wayNames(), ", ")+" (default: all)")
	f.IntVar(&o.sourceMajor, "source-major", 17, "major version of the source")
	f.IntVar(&o.targetMajor, "target-major", 17, "major version of the target")
	f.StringVar(&o.walferry, "walferry", "", "program to measure (default: built from this module)")
	f.StringVar(&extra, "walferry-args", "", "more arguments of walferry migrate, separated by spaces")
	f.StringVar(&o.json, "json", "", "write the report as JSON to this file")
	if err := f.Parse(args); err != nil {
		return o, errors.Wrap(err, "parse the arguments")
	}
	o.walferryArgs = strings.Fields(extra)
	if chosen != "" {
		o.ways = strings.Split(chosen, ",")
	}
	switch unknown := slices.IndexFunc(o.ways, func(w string) bool { return !slices.Contains(wayNames(), w) }); {
	case f.NArg() > 0:
		return o, errors.Newf("argument %q is not a flag", f.Arg(0))
	case o.scale <= 0:
		return o, errors.Newf("-scale is %g, not more than 0", o.scale)
	case o.runs < 1:
		return o, errors.Newf("-runs is %d, less than 1", o.runs)
	case unknown >= 0:
		return o, errors.Newf("-ways: %q is none of %s", o.ways[unknown], strings.Join(wayNames(), ", "))
	}
	return o, nil
}

// run measures what args ask for and prints it.
func run(args []string, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	r, err := measureAll(ctx, o, stderr)
	if err != nil {
		return err
	}
	if err := r.Print(stdout); err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, verdict(&r.Workloads[0])); err != nil {
		return errors.Wrap(err, "print the report")
	}
	if o.json != "" {
		return r.Write(o.json)
	}
	return nil
}

// measureAll copies by every way, as often as asked for. Every other repetition takes
// the ways in reverse, since a machine that slows down meanwhile would wrong the same one.
func measureAll(ctx context.Context, o options, progress io.Writer) (_ *report.Report, err error) {
	p, err := measure.NewPair(ctx, measure.Options{
		SourceMajor: o.sourceMajor, TargetMajor: o.targetMajor, Walferry: o.walferry, Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.CombineErrors(err, p.Close()) }() //nolint:contextcheck // cleans up whatever ended ctx
	w := report.Workload{Name: "copy", Rows: int(2e6 * o.scale), Goal: goalNative}
	s := &scene{Pair: p, o: o, rows: w.Rows}
	p.Tell("filling a table of %d rows", w.Rows)
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	load := measure.Load()
	for i := range o.runs {
		order := slices.Clone(ways)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, way := range order {
			if len(o.ways) > 0 && !slices.Contains(o.ways, way.name) {
				continue
			}
			sample, err := s.measure(ctx, way)
			if err != nil {
				return nil, errors.Wrapf(err, "copy by %s", way.name)
			}
			p.Tell("%s %.2f s", way.name, sample.Seconds)
			w.Add(way.name, sample)
		}
	}
	w.Finish()
	return &report.Report{
		SchemaVersion: report.SchemaVersion, Date: time.Now().UTC().Format(time.RFC3339),
		Command: strings.TrimSpace("go run ./bench/copy " + strings.Join(o.args, " ")),
		Machine: measure.Machine(), Load: load, Versions: p.Versions, Settings: p.Settings,
		Scale: o.scale, Runs: o.runs, Workloads: []report.Workload{w},
	}, nil
}

// verdict compares with the goals.
func verdict(w *report.Workload) string {
	walferry, pipe := w.Find(report.Walferry), w.Find(wayPipe)
	if walferry == nil {
		return ""
	}
	m := walferry.Median()
	var b strings.Builder
	line := func(what string, value float64, format string, goal string, reached bool) {
		word := "missed"
		if reached {
			word = "reached"
		}
		fmt.Fprintf(&b, "%s: "+format+" (goal: %s, %s)\n", what, value, goal, word)
	}
	b.WriteByte('\n')
	if w.Ratio > 0 {
		line("native / walferry", w.Ratio, "%.2f", "at least "+strconv.FormatFloat(goalNative, 'f', 2, 64), w.Ratio >= goalNative)
	}
	if pipe != nil {
		ratio := m.Seconds / pipe.Median().Seconds
		line("walferry / pipe", ratio, "%.2f", "at most "+strconv.FormatFloat(goalPipe, 'f', 2, 64), ratio <= goalPipe)
	}
	line("peak MiB", float64(m.PeakBytes)/(1<<20), "%.0f", "at most 256", m.PeakBytes <= goalBytes)
	return b.String()
}
