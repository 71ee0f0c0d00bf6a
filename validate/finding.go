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

// TableSize is a table that moves, as large as the source says.
type TableSize struct {
	Table string `json:"table"`
	// Bytes are those of the table with its TOAST, without indexes.
	Bytes int64 `json:"bytes"`
	// EstimatedRows is -1 when the table was never analyzed.
	EstimatedRows int64 `json:"estimated_rows"`
}

// Report is the outcome of Preflight.
type Report struct {
	// Findings are in the order of the checks.
	Findings []Finding
	// Method is what Auto was decided to be, or what was asked for; empty when a side
	// could not be asked. Reason says why a dump was chosen.
	Method Method
	Reason string
	// Tables are what moves, largest first.
	Tables []TableSize
}

// OK reports whether nothing blocks the migration.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Error })
}

// MarshalJSON writes the report as the command line promises it.
func (r Report) MarshalJSON() ([]byte, error) {
	findings, tables := r.Findings, r.Tables
	if findings == nil {
		findings = []Finding{}
	}
	if tables == nil {
		tables = []TableSize{}
	}
	return json.Marshal(struct {
		SchemaVersion int         `json:"schema_version"`
		OK            bool        `json:"ok"`
		Findings      []Finding   `json:"findings"`
		Method        Method      `json:"method,omitempty"`
		Reason        string      `json:"reason,omitempty"`
		Tables        []TableSize `json:"tables"`
	}{1, r.OK(), findings, r.Method, r.Reason, tables})
}
