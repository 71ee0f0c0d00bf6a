package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cockroachdb/errors"
)

// Print writes the report for people: where it ran, one line per workload and
// way, and the latencies.
func (r *Report) Print(w io.Writer) error {
	var b bytes.Buffer
	r.printHead(&b)
	if len(r.Workloads) > 0 {
		r.printWorkloads(&b)
	}
	if len(r.Latencies) > 0 {
		r.printLatencies(&b)
	}
	_, err := w.Write(b.Bytes())
	return errors.Wrap(err, "print the report")
}

func (r *Report) printHead(b *bytes.Buffer) {
	fmt.Fprintf(b, "%s\n%s\nmachine:  %s\nload:     %s\n", r.Date, r.Command, r.Machine, r.Load)
	fmt.Fprintf(b, "versions: %s\nsettings: %s\nscale:    %g, runs: %d\n\n", pairs(r.Versions), pairs(r.Settings), r.Scale, r.Runs)
}

func pairs(m map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+" "+m[name])
	}
	return strings.Join(parts, ", ")
}

// printWorkloads leaves out what does not apply, such as the client of the
// native subscription.
func (r *Report) printWorkloads(b *bytes.Buffer) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer t.Flush() //nolint:errcheck // a buffer takes everything
	fmt.Fprintln(t, "workload\trows\tway\tseconds\tspread\trows/s\t× native\tgoal\tCPU source\ttarget\tclient\tpeak MiB\t")
	for i := range r.Workloads {
		w := &r.Workloads[i]
		for j := range w.Ways {
			printWay(t, w, &w.Ways[j])
		}
	}
	for _, w := range r.Workloads {
		if w.Failure != "" {
			fmt.Fprintf(t, "\n%s FAILED: %s\n", w.Name, w.Failure)
		}
	}
}

func printWay(t io.Writer, w *Workload, way *Way) {
	m := way.Median()
	least, largest := way.spread()
	goal, client, peak := "", "", ""
	if way.Name == Walferry {
		goal = fmt.Sprintf("%.1f", w.Goal)
	}
	if way.Name != Native {
		client, peak = fmt.Sprintf("%.2f", m.ClientCPU), fmt.Sprintf("%.0f", float64(m.PeakBytes)/(1<<20))
	}
	beside := ""
	if native := ratio(w.Find(Native), way); native > 0 && way.Name != Native {
		beside = fmt.Sprintf("%.2f", native)
	}
	fmt.Fprintf(t, "%s\t%d\t%s\t%.2f\t%.2f–%.2f\t%.0f\t%s\t%s\t%.2f\t%.2f\t%s\t%s\t\n",
		w.Name, w.Rows, way.Name, m.Seconds, least, largest, float64(w.Rows)/max(m.Seconds, 1e-9),
		beside, goal, m.SourceCPU, m.TargetCPU, client, peak)
}

func (r *Report) printLatencies(b *bytes.Buffer) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer t.Flush() //nolint:errcheck // a buffer takes everything
	fmt.Fprintln(t, "\nlatency (ms)\tcommits\tvisible median\tp99\tdurable median\tp99\t")
	for _, l := range r.Latencies {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t\n",
			l.Way, l.Commits, l.VisibleMedian, l.VisibleP99, l.DurableMedian, l.DurableP99)
	}
}
