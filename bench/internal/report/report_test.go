package report_test

import (
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/walferry/walferry/bench/internal/report"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func near(t *testing.T, want, got float64) {
	t.Helper()
	if math.Abs(want-got) > 1e-9 {
		t.Errorf("%g, not %g", got, want)
	}
}

// sample returns a report with one workload whose ratio is (native + 1) / 4.
func sample(name string, native float64) *report.Report {
	w := report.Workload{Name: name, Rows: 1000, Goal: 2}
	for _, more := range []float64{1, 0, 2} { // unsorted on purpose
		w.Add(report.Native, report.Sample{Seconds: native + more, SourceCPU: 1, TargetCPU: 2})
		w.Add(report.Walferry, report.Sample{Seconds: 3 + more, SourceCPU: 1, TargetCPU: 1, ClientCPU: 0.5, PeakBytes: 64 << 20})
	}
	w.Finish()
	return &report.Report{SchemaVersion: report.SchemaVersion, Scale: 1, Runs: 3, Workloads: []report.Workload{w}}
}

func TestRatioIsOfMedians(t *testing.T) {
	t.Parallel()
	near(t, 10.0/4, sample("inserts", 9).Workloads[0].Ratio)
	var w report.Workload
	w.Add(report.Walferry, report.Sample{Seconds: 1})
	w.Finish()
	near(t, 0, w.Ratio) // without native
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{nil, 0.5, 0},
		{[]float64{3}, 0.99, 3},
		{[]float64{4, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 2, 3}, 0.5, 2.5},
		{[]float64{5, 1, 2, 3, 4}, 1, 5},
	} {
		near(t, c.want, report.Quantile(c.values, c.q))
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	r := sample("inserts", 9)
	r.Date, r.Command, r.Machine, r.Load = "2026-01-02", "drain -runs 3", "2 cores", "0.10"
	r.Versions = map[string]string{"target": "18", "source": "15"}
	r.Settings = map[string]string{"fsync": "on"}
	r.Workloads = append(r.Workloads, report.Workload{Name: "toast", Failure: "rows differ"})
	r.Latencies = []report.Latency{{Way: "walferry", Commits: 10, VisibleMedian: 1.25, DurableP99: 20}}
	var b strings.Builder
	ok(t, r.Print(&b))
	want := `2026-01-02
drain -runs 3
machine:  2 cores
load:     0.10
versions: source 15, target 18
settings: fsync on
scale:    1, runs: 3

  workload  rows       way  seconds      spread  rows/s  × native  goal  CPU source  target  client  peak MiB
   inserts  1000    native    10.00  9.00–11.00     100                        1.00    2.00                  
   inserts  1000  walferry     4.00   3.00–5.00     250      2.50   2.0        1.00    1.00    0.50        64

toast FAILED: rows differ

  latency (ms)  commits  visible median  p99  durable median   p99
      walferry       10             1.2  0.0             0.0  20.0
`
	if b.String() != want {
		t.Fatalf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestReadReturnsWhatWasWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.json")
	r := sample("inserts", 9)
	ok(t, r.Write(path))
	got, err := report.Read(path)
	ok(t, err)
	if !reflect.DeepEqual(r, got) {
		t.Fatalf("read %+v, not %+v", got, r)
	}

	r.SchemaVersion++
	ok(t, r.Write(path))
	_, err = report.Read(path)
	if err == nil || !strings.Contains(err.Error(), "schema version") {
		t.Fatalf("another schema version: %v", err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	old := sample("inserts", 9) // 2.50
	for _, c := range []struct {
		name   string
		now    *report.Report
		fallen []string
		text   string
	}{
		{"the same", sample("inserts", 9), nil, "+0 %"},
		{"within the threshold", sample("inserts", 8), nil, "-10 %"},
		{"beyond it", sample("inserts", 7), []string{"inserts"}, "REGRESSION"},
		{"faster", sample("inserts", 19), nil, "+100 %"},
		{"not in the old report", sample("deletes", 1), nil, "new"},
		{"failed", &report.Report{Scale: 1, Workloads: []report.Workload{{Name: "inserts", Failure: "x"}}}, []string{"inserts"}, "-100 %"},
		{"another scale", &report.Report{Scale: 0.5}, nil, "the scales differ: 1 before, 0.5 now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			fallen, err := c.now.Compare(&b, old, 0.15)
			ok(t, err)
			if !slices.Equal(c.fallen, fallen) {
				t.Errorf("fallen: %v, not %v", fallen, c.fallen)
			}
			if !strings.Contains(b.String(), c.text) {
				t.Errorf("%q is not in\n%s", c.text, b.String())
			}
		})
	}
}
