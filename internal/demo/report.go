package demo

import "github.com/walferry/walferry/internal/status"

// Report is what a demo has shown. It is also the JSON of `walferry demo --json`.
type Report struct {
	SchemaVersion int    `json:"schema_version"`
	Source        Server `json:"source"`
	Target        Server `json:"target"`

	// Tables, rows and bytes that were copied, while others were written.
	Tables      int   `json:"tables"`
	RowsCopied  int64 `json:"rows_copied"`
	BytesCopied int64 `json:"bytes_copied"`
	// Writers is how many sessions wrote; Committed, Aborted and RowsWritten what they did.
	Writers     int   `json:"writers"`
	Committed   int64 `json:"transactions_committed"`
	Aborted     int64 `json:"transactions_aborted"`
	RowsWritten int64 `json:"rows_written"`
	// Transactions and Changes were applied from the stream until the writers stopped.
	Transactions int64 `json:"transactions_applied"`
	Changes      int64 `json:"changes_applied"`
	// LagBytes is how far the target was behind when the writers stopped, and
	// DrainSeconds how long the cutover took, with everything that makes the target complete;
	// for ClosedSeconds of it the source had been closed when it was decided.
	LagBytes      int64   `json:"lag_bytes"`
	DrainSeconds  float64 `json:"drain_seconds"`
	ClosedSeconds float64 `json:"closed_seconds"`
	// Verified says that the cutover compared every row before it decided.
	Verified     bool     `json:"verified"`
	SequencesSet int      `json:"sequences_set"`
	Skipped      []string `json:"skipped"`
	Warnings     []string `json:"warnings"`

	Equal             bool     `json:"equal"`
	TablesCompared    int      `json:"tables_compared"`
	RowsCompared      int64    `json:"rows_compared"`
	SequencesCompared int      `json:"sequences_compared"`
	Differences       []string `json:"differences"`

	Seconds float64 `json:"seconds"`
}

// Server is one of the two servers of a demo.
type Server struct {
	Version  string `json:"version"`
	Programs string `json:"programs"`
	Port     int    `json:"port"`
}

// add takes over what the engine says of a finished migration.
func (r *Report) add(s *status.Summary) {
	for _, t := range s.Tables {
		if t.State == "skipped" {
			continue
		}
		r.Tables++
		r.RowsCopied += t.Rows
		r.BytesCopied += t.Bytes
	}
	r.SequencesSet = s.SequencesSet
	r.Skipped = append(r.Skipped, s.Skipped...)
	r.Warnings = append(r.Warnings, s.Warnings...)
}
