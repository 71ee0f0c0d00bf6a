package report

import (
	"bytes"
	"fmt"
	"io"

	"github.com/cockroachdb/errors"
)

// Compare writes how the ratios changed since old, and returns the names of the
// workloads whose ratio fell by more than threshold, a share such as 0.15. It
// compares ratios because native ran beside walferry, on the same machine at the
// same time; seconds of two machines say nothing. A workload that old has with a
// ratio, and that was run now without one, counts as fallen.
func (r *Report) Compare(w io.Writer, old *Report, threshold float64) ([]string, error) {
	rows := [][]string{{"workload", "old ratio", "new ratio", "change", ""}}
	var fallen []string
	for i := range r.Workloads {
		now := &r.Workloads[i]
		before := old.find(now.Name)
		if before == nil || before.Ratio == 0 {
			rows = append(rows, []string{now.Name, "", decimals(now.Ratio, 2), "", "new"})
			continue
		}
		change, verdict := now.Ratio/before.Ratio-1, ""
		if change < -threshold {
			verdict = "REGRESSION"
			fallen = append(fallen, now.Name)
		}
		rows = append(rows, []string{
			now.Name, decimals(before.Ratio, 2), decimals(now.Ratio, 2), fmt.Sprintf("%+.0f %%", 100*change), verdict,
		})
	}
	var b bytes.Buffer
	align(&b, rows)
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
