package main

import (
	"flag"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/bench/internal/report"
)

// options say what to measure.
type options struct {
	args      []string // as given, for the report
	workloads []workload
	scale     float64
	runs      int
	latency   int      // commits
	ways      []string // empty: all

	sourceMajor, targetMajor int
	walferry                 string // the program; empty: built from this module
	walferryArgs             []string
	native                   string // options of the subscription

	rtt    time.Duration
	link   string
	window int

	json, compare string
	threshold     float64
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{args: args}
	var names, extra, ways string
	f := flag.NewFlagSet("drain", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&names, "workload", "all", "workloads, separated by commas: all, none, "+strings.Join(workloadNames(), ", "))
	f.Float64Var(&o.scale, "scale", 1, "size of the workloads, 1 as performance goals have them")
	f.StringVar(&ways, "ways", "", "only these ways, separated by commas: native, walferry, decode (default: all)")
	f.IntVar(&o.runs, "runs", 1, "repetitions of every drain; medians are shown")
	f.IntVar(&o.latency, "latency", 0, "also measure the latency of that many single commits")
	f.IntVar(&o.sourceMajor, "source-major", 17, "major version of the source")
	f.IntVar(&o.targetMajor, "target-major", 17, "major version of the target")
	f.StringVar(&o.walferry, "walferry", "", "program to measure (default: built from this module)")
	f.StringVar(&extra, "walferry-args", "", "more arguments of walferry stream, separated by spaces")
	f.StringVar(&o.native, "native-options", "", `more options of the subscription, such as "binary = true, streaming = parallel"`)
	f.DurationVar(&o.rtt, "rtt", 0, "also drain over a link with this round trip, by the subscription only if that is the source's")
	f.StringVar(&o.link, "rtt-link", "target", "the link that is delayed: source, target, both")
	f.IntVar(&o.window, "rtt-window", 4<<20, "bytes in flight on the delayed link")
	f.StringVar(&o.json, "json", "", "write the report as JSON to this file")
	f.StringVar(&o.compare, "compare", "", "compare the ratios with this JSON report; exit 1 when one fell")
	f.Float64Var(&o.threshold, "threshold", 0.15, "share by which a ratio may fall")
	if err := f.Parse(args); err != nil {
		return o, errors.Wrap(err, "parse the arguments")
	}
	if f.NArg() > 0 {
		return o, errors.Newf("argument %q is not a flag", f.Arg(0))
	}
	o.walferryArgs = strings.Fields(extra)
	if ways != "" {
		o.ways = strings.Split(ways, ",")
	}
	var err error
	if o.workloads, err = chooseWorkloads(names); err != nil {
		return o, err
	}
	switch {
	case o.scale <= 0:
		return o, errors.Newf("-scale is %g, not more than 0", o.scale)
	case o.runs < 1:
		return o, errors.Newf("-runs is %d, less than 1", o.runs)
	case slices.ContainsFunc(o.ways, func(name string) bool { return !slices.Contains(wayNames, name) }):
		return o, errors.Newf("-ways is %q, none of %s", ways, strings.Join(wayNames, ", "))
	case !slices.Contains([]string{"source", "target", "both"}, o.link):
		return o, errors.Newf("-rtt-link is %q, none of source, target, both", o.link)
	}
	return o, nil
}

// wayNames are the ways that can be chosen. The delayed one belongs to walferry.
var wayNames = []string{report.Native, report.Walferry, report.Decode}

func chooseWorkloads(names string) ([]workload, error) {
	switch names {
	case "all":
		return workloads, nil
	case "none":
		return nil, nil
	}
	var chosen []workload
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })
		if i < 0 {
			err := errors.Newf("there is no workload %q", name)
			return nil, errors.WithHintf(err, "choose among %s", strings.Join(workloadNames(), ", "))
		}
		chosen = append(chosen, workloads[i])
	}
	return chosen, nil
}
