package report

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/cockroachdb/errors"
)

// Compare writes how the ratios changed since old, and returns the names of the
// workloads whose ratio fell by more than threshold, a share such as 0.15. It
// compares ratios because native ran beside walferry, on the same machine at the
// same time; seconds of two machines say nothing. A workload that old has with a
// ratio, and that was run now without one, counts as fallen.
func (r *Report) Compare(w io.Writer, old *Report, threshold float64) ([]string, error) {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "workload\told ratio\tnew ratio\tchange\t\t")
	var fallen []string
	for i := range r.Workloads {
		now := &r.Workloads[i]
		before := old.find(now.Name)
		if before == nil || before.Ratio == 0 {
			fmt.Fprintf(t, "%s\t\t%.2f\t\tnew\t\n", now.Name, now.Ratio)
			continue
		}
		change := now.Ratio/before.Ratio - 1
		verdict := ""
		if change < -threshold {
			verdict = "REGRESSION"
			fallen = append(fallen, now.Name)
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%+.0f %%\t%s\t\n", now.Name, before.Ratio, now.Ratio, 100*change, verdict)
	}
	if err := t.Flush(); err != nil {
		return nil, errors.Wrap(err, "render the comparison")
	}
	if old.Scale != r.Scale {
		fmt.Fprintf(&b, "the scales differ: %g before, %g now; small backlogs favour whoever starts faster\n", old.Scale, r.Scale)
	}
	_, err := w.Write(b.Bytes())
	return fallen, errors.Wrap(err, "print the comparison")
}

func (r *Report) find(name string) *Workload {
	for i := range r.Workloads {
		if r.Workloads[i].Name == name {
			return &r.Workloads[i]
		}
	}
	return nil
}
