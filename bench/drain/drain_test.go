package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// One small backlog, on real servers, with everything
// that a full run has.
func TestDrain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.json")
	args := []string{
		"-workload", "updates_random", "-scale", "0.004", "-runs", "2", "-latency", "5",
		"-rtt", "1ms", "-rtt-link", "both", "-source-major", "15", "-target-major", "15", "-json", path,
	}
	var out, progress strings.Builder
	if err := run(args, &out, &progress); err != nil {
		t.Fatalf("%+v\n%s", err, progress.String())
	}
	r, err := report.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Workloads) != 1 || len(r.Latencies) != 2 {
		t.Fatalf("%d workloads and %d latencies", len(r.Workloads), len(r.Latencies))
	}
	for _, w := range r.Workloads {
		for _, name := range []string{report.Native, report.Walferry, "native+1ms", "walferry+1ms", report.Decode} {
			way := w.Find(name)
			if way == nil || len(way.Samples) != 2 {
				t.Fatalf("%s was not drained twice by %s\n%s", w.Name, name, out.String())
			}
			m := way.Median()
			if m.Seconds <= 0 || !strings.HasPrefix(name, report.Native) && m.PeakBytes == 0 {
				t.Errorf("%s by %s: %+v", w.Name, name, m)
			}
		}
		if w.Ratio == 0 || w.WALBytes == 0 || w.Failure != "" {
			t.Errorf("%+v", w)
		}
	}
	if !strings.Contains(out.String(), "updates_random") {
		t.Error(out.String())
	}
	// Its own ratio a thousand times larger is a regression.
	r.Workloads[0].Ratio *= 1000
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	again, err := report.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	again.Workloads[0].Ratio /= 1000
	if err := verdict(again, r, 0.15, &out); err == nil || !strings.Contains(err.Error(), "updates_random became slower") {
		t.Errorf("verdict: %v", err)
	}
}

func TestScaledIsWholeTransactions(t *testing.T) {
	t.Parallel()
	for _, w := range workloads {
		if got := w.scaled(1); got != w.rows {
			t.Errorf("%s at scale 1: %d rows, not %d", w.name, got, w.rows)
		}
		for _, scale := range []float64{0.00001, 0.0123, 0.3, 10} {
			got := w.scaled(scale)
			if got < 1 || got%max(1, w.perTx) != 0 {
				t.Errorf("%s at scale %g: %d rows", w.name, scale, got)
			}
			if off := math.Abs(float64(got) - float64(w.rows)*scale); off > float64(max(1, w.perTx)) {
				t.Errorf("%s at scale %g: %d rows", w.name, scale, got)
			}
		}
	}
}

func TestBacklogFillsInNumbers(t *testing.T) {
	t.Parallel()
	for _, w := range workloads {
		if sql := w.backlog(w.rows); strings.ContainsAny(sql[len("DO $walferry$"):len(sql)-len("$walferry$")], "$") {
			t.Errorf("%s: %s", w.name, sql)
		}
	}
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	o, err := parseOptions([]string{"-workload", "tpcb,hot", "-walferry-args", "--binary off"}, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.workloads) != 2 || o.workloads[0].name != "tpcb" || len(o.walferryArgs) != 2 {
		t.Errorf("%+v", o)
	}
	for _, args := range []string{"-workload insert", "-scale 0", "-runs 0", "-rtt-link here", "-ways nativ", "inserts"} {
		if _, err := parseOptions(strings.Fields(args), &stderr); err == nil {
			t.Errorf("%s is taken", args)
		}
	}
}

func TestTreeCPUNeedsAServer(t *testing.T) {
	t.Parallel()
	if _, err := measure.TreeCPU(t.TempDir()); err == nil {
		t.Error("a directory without a server has a process")
	}
	if measure.PeakBytes(os.Getpid()) < 1<<20 {
		t.Error("this process is smaller than a MiB")
	}
}
