package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
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
	rows := [][]string{{
		"workload", "rows", "way", "seconds", "spread", "rows/s", "× native", "goal",
		"CPU source", "target", "client", "peak MiB",
	}}
	for i := range r.Workloads {
		w := &r.Workloads[i]
		for j := range w.Ways {
			rows = append(rows, wayRow(w, &w.Ways[j]))
		}
	}
	align(b, rows)
	for _, w := range r.Workloads {
		if w.Failure != "" {
			fmt.Fprintf(b, "\n%s FAILED: %s\n", w.Name, w.Failure)
		}
	}
}

func wayRow(w *Workload, way *Way) []string {
	m := way.Median()
	least, largest := way.spread()
	goal, client, peak, beside := "", "", "", ""
	if way.Name == Walferry {
		goal = decimals(w.Goal, 1)
	}
	if way.Name != Native {
		client, peak = decimals(m.ClientCPU, 2), decimals(float64(m.PeakBytes)/(1<<20), 0)
		if native := ratio(w.Find(Native), way); native > 0 {
			beside = decimals(native, 2)
		}
	}
	return []string{
		w.Name, strconv.Itoa(w.Rows), way.Name, decimals(m.Seconds, 2), decimals(least, 2) + "–" + decimals(largest, 2),
		decimals(float64(w.Rows)/max(m.Seconds, 1e-9), 0), beside, goal,
		decimals(m.SourceCPU, 2), decimals(m.TargetCPU, 2), client, peak,
	}
}

func (r *Report) printLatencies(b *bytes.Buffer) {
	rows := [][]string{{"latency (ms)", "commits", "visible median", "p99", "durable median", "p99"}}
	for _, l := range r.Latencies {
		rows = append(rows, []string{
			l.Way, strconv.Itoa(l.Commits), decimals(l.VisibleMedian, 1), decimals(l.VisibleP99, 1),
			decimals(l.DurableMedian, 1), decimals(l.DurableP99, 1),
		})
	}
	b.WriteByte('\n')
	align(b, rows)
}

func decimals(v float64, n int) string { return strconv.FormatFloat(v, 'f', n, 64) }

// align writes cells in columns, each as wide as its widest, to the right.
func align(b *bytes.Buffer, rows [][]string) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range rows {
		_, _ = io.WriteString(t, strings.Join(cells, "\t")+"\t\n") // a buffer takes everything
	}
	_ = t.Flush()
}
