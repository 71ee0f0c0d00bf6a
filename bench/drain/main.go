// Command drain measures how fast a backlog is applied: it builds each workload
// once on throw-away servers, and drains it by the native subscription, by
// walferry, and by pg_recvlogical into nowhere, in the same run.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "drain: error: %v\n", err)
		for _, part := range []string{errors.FlattenDetails(err), errors.FlattenHints(err)} {
			if part != "" {
				fmt.Fprintf(os.Stderr, "drain: %s\n", part)
			}
		}
		os.Exit(1) //nolint:forbidigo // a command's exit status
	}
}

// run measures what args ask for, prints it, and fails when a drain failed or a
// ratio fell.
func run(args []string, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	var old *report.Report
	if o.compare != "" {
		if old, err = report.Read(o.compare); err != nil {
			return err
		}
	}
	r, err := measureAll(ctx, o, stderr)
	if err != nil {
		return err
	}
	if err := r.Print(stdout); err != nil {
		return err
	}
	if o.json != "" {
		if err := r.Write(o.json); err != nil {
			return err
		}
	}
	return verdict(r, old, o.threshold, stdout)
}

// measureAll runs everything and returns what it showed, also where drains failed.
func measureAll(ctx context.Context, o options, progress io.Writer) (_ *report.Report, err error) {
	b, err := newBench(ctx, o, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.CombineErrors(err, b.Close()) }() //nolint:contextcheck // cleans up whatever ended ctx
	r := &report.Report{
		SchemaVersion: report.SchemaVersion,
		Date:          time.Now().UTC().Format(time.RFC3339),
		Command:       strings.TrimSpace("go run ./bench/drain " + strings.Join(o.args, " ")),
		Machine:       measure.Machine(), Load: measure.Load(),
		Versions: b.Versions, Settings: b.Settings, Scale: o.scale, Runs: o.runs,
	}
	for _, w := range o.workloads {
		result, err := b.workload(ctx, w)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			result.Failure = failure(err)
			b.Tell("%s failed: %s", w.name, result.Failure)
		}
		r.Workloads = append(r.Workloads, result)
	}
	if o.latency > 0 {
		if r.Latencies, err = b.latencies(ctx, o.latency); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// failure is an error with its details, for the report.
func failure(err error) string {
	if detail := errors.FlattenDetails(err); detail != "" {
		return err.Error() + "\n" + detail
	}
	return err.Error()
}

func verdict(r, old *report.Report, threshold float64, stdout io.Writer) error {
	var problems []string
	for _, w := range r.Workloads {
		if w.Failure != "" {
			problems = append(problems, w.Name+" failed")
		}
	}
	if old != nil {
		if _, err := fmt.Fprintln(stdout); err != nil {
			return errors.Wrap(err, "print the comparison")
		}
		fallen, err := r.Compare(stdout, old, threshold)
		if err != nil {
			return err
		}
		for _, name := range fallen {
			problems = append(problems, name+" became slower beside the native subscription")
		}
	}
	if len(problems) > 0 {
		return errors.Newf("%s", strings.Join(problems, ", "))
	}
	return nil
}
