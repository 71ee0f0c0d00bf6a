// Package report holds what a run of the drain benchmark measured: it renders
// it as a table, keeps it as JSON, and compares two of them.
package report

import (
	"encoding/json"
	"os"

	"github.com/cockroachdb/errors"
)

// SchemaVersion is the version of the JSON form. A change that an older program
// would misread makes it larger.
const SchemaVersion = 1

// Names of the ways that every workload is drained. Others may be beside them.
const (
	Native   = "native"
	Walferry = "walferry"
	Decode   = "decode"
)

// Report is one run of the benchmark.
type Report struct {
	SchemaVersion int               `json:"schema_version"`
	Date          string            `json:"date"`
	Command       string            `json:"command"`
	Machine       string            `json:"machine"`
	Load          string            `json:"load"`
	Versions      map[string]string `json:"versions"`
	Settings      map[string]string `json:"settings"`
	Scale         float64           `json:"scale"`
	Runs          int               `json:"runs"`
	Workloads     []Workload        `json:"workloads"`
	Latencies     []Latency         `json:"latencies,omitempty"`
}

// Workload is one backlog and the ways that it was drained.
type Workload struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
	// WALBytes is what the backlog occupies in the source's WAL.
	WALBytes int64 `json:"wal_bytes"`
	// Goal is the ratio to reach.
	Goal float64 `json:"goal"`
	// Ratio is native's median seconds divided by walferry's; 0 when one is missing.
	Ratio float64 `json:"ratio"`
	Ways  []Way   `json:"ways"`
	// Failure says why the workload has no or not all results; empty when it has.
	Failure string `json:"failure,omitempty"`
}

// Way is one way to drain a backlog, with one sample for each repetition.
type Way struct {
	Name    string   `json:"name"`
	Samples []Sample `json:"samples"`
}

// Sample is one drain.
type Sample struct {
	// Seconds from the start until all is durable on the target.
	Seconds float64 `json:"seconds"`
	// SourceCPU and TargetCPU are the CPU seconds of all processes of a server,
	// ClientCPU those of the program between them, if there is one.
	SourceCPU float64 `json:"source_cpu"`
	TargetCPU float64 `json:"target_cpu"`
	ClientCPU float64 `json:"client_cpu"`
	// PeakBytes is the largest resident size of the program in between.
	PeakBytes int64 `json:"peak_bytes"`
}

// Latency is how long single commits took to arrive while nothing else happened.
type Latency struct {
	Way     string `json:"way"`
	Commits int    `json:"commits"`
	// Milliseconds from the end of the commit on the source until the row is
	// visible on the target, and until it is durable there.
	VisibleMedian float64 `json:"visible_median_ms"`
	VisibleP99    float64 `json:"visible_p99_ms"`
	DurableMedian float64 `json:"durable_median_ms"`
	DurableP99    float64 `json:"durable_p99_ms"`
}

// Find returns the way of that name, nil when there is none.
func (w *Workload) Find(name string) *Way {
	for i := range w.Ways {
		if w.Ways[i].Name == name {
			return &w.Ways[i]
		}
	}
	return nil
}

// Add appends a sample to the way of that name.
func (w *Workload) Add(name string, s Sample) {
	way := w.Find(name)
	if way == nil {
		w.Ways = append(w.Ways, Way{Name: name})
		way = &w.Ways[len(w.Ways)-1]
	}
	way.Samples = append(way.Samples, s)
}

// Finish computes the ratio from the samples.
func (w *Workload) Finish() {
	w.Ratio = ratio(w.Find(Native), w.Find(Walferry))
}

// Read reads a report that [Report.Write] wrote.
func Read(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Wrap(err, "read the report to compare with")
	}
	r := new(Report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, errors.Wrapf(err, "parse the report %s", path)
	}
	if r.SchemaVersion != SchemaVersion {
		return nil, errors.Newf("report %s has the schema version %d, not %d", path, r.SchemaVersion, SchemaVersion)
	}
	return r, nil
}

// Write writes the report as JSON.
func (r *Report) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return errors.Wrap(err, "encode the report")
	}
	return errors.Wrap(os.WriteFile(path, append(text, '\n'), 0o644), "write the report")
}
