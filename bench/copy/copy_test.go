package main

import (
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/walferry/walferry/bench/internal/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A small table, on real servers, by every way.
func TestCopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.json")
	var out, progress strings.Builder
	if err := run([]string{"-scale", "0.005", "-source-major", "15", "-target-major", "15", "-json", path}, &out, &progress); err != nil {
		t.Fatalf("%+v\n%s", err, progress.String())
	}
	r, err := report.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range wayNames() {
		way := r.Workloads[0].Find(name)
		if way == nil || len(way.Samples) != 1 || way.Median().Seconds <= 0 {
			t.Errorf("%s: %+v", name, way)
		}
	}
	for _, text := range []string{"native / walferry", "walferry / pipe", "peak MiB"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is not in\n%s", text, out.String())
		}
	}
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	for _, args := range []string{"-scale 0", "-runs 0", "-ways nativ", "orders"} {
		if _, err := parseOptions(strings.Fields(args), &stderr); err == nil {
			t.Errorf("%s is taken", args)
		}
	}
	if o, err := parseOptions([]string{"-ways", "pipe,dump", "-walferry-args", "--binary off"}, &stderr); err != nil || len(o.ways) != 2 || len(o.walferryArgs) != 2 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	var w report.Workload
	w.Add(wayPipe, report.Sample{Seconds: 10})
	w.Add(report.Walferry, report.Sample{Seconds: 12, PeakBytes: 20 << 20})
	w.Add(report.Native, report.Sample{Seconds: 24})
	w.Finish()
	want := `
native / walferry: 2.00 (goal: at least 1.40, reached)
walferry / pipe: 1.20 (goal: at most 1.15, missed)
peak MiB: 20 (goal: at most 256, reached)
`
	if got := verdict(&w); got != want {
		t.Errorf("got %s want %s", got, want)
	}
}
