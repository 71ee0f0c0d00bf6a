package validate

import (
	"encoding/json"
	"slices"
)

// Severity says what a finding means for the migration.
type Severity string

// The severities. Only an error blocks.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Finding is one thing that preflight has to say.
type Finding struct {
	// ID is stable: source.wal_level.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Object is what the finding is about: a table, a role, a setting, a database.
	Object  string `json:"object"`
	Message string `json:"message"`
	// Detail holds facts, Hint what to do and on which side. Both are whole
	// sentences or empty.
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

// Report is the outcome of Preflight.
type Report struct {
	// Findings are in the order of the checks: source before target.
	Findings []Finding
}

// OK reports whether nothing blocks the migration.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Error })
}

// MarshalJSON writes the report as the command line promises it.
func (r Report) MarshalJSON() ([]byte, error) {
	findings := r.Findings
	if findings == nil {
		findings = []Finding{}
	}
	return json.Marshal(struct {
		SchemaVersion int       `json:"schema_version"`
		OK            bool      `json:"ok"`
		Findings      []Finding `json:"findings"`
	}{1, r.OK(), findings})
}
