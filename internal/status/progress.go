package status

// Progress is one moment of a run, for a bar, a log line or JSON.
type Progress struct {
	Phase string `json:"phase"`
	// Item is what is being worked on, when it is one thing.
	Item string `json:"item,omitempty"`

	TablesDone  int   `json:"tables_done"`
	TablesTotal int   `json:"tables_total"`
	RowsCopied  int64 `json:"rows_copied"`
	BytesCopied int64 `json:"bytes_copied"`
	// BytesTotal is an estimate: the tables' size on the source's disk.
	BytesTotal int64 `json:"bytes_total"`

	EntriesDone  int `json:"entries_done"`
	EntriesTotal int `json:"entries_total"`

	LagBytes     int64  `json:"lag_bytes"`
	AppliedLSN   string `json:"applied_lsn,omitempty"`
	Transactions int64  `json:"transactions"`
	Changes      int64  `json:"changes"`
}

// Summary is what a finished command reports.
type Summary struct {
	SchemaVersion int     `json:"schema_version"`
	Name          string  `json:"name"`
	Database      string  `json:"database"`
	Method        string  `json:"method"`
	Status        string  `json:"status"`
	AppliedLSN    string  `json:"applied_lsn,omitempty"`
	Tables        []Table `json:"tables"`
	SequencesSet  int     `json:"sequences_set"`
	LargeObjects  int64   `json:"large_objects"`
	// Skipped names what was not moved, and why; Warnings what was moved with a loss.
	Skipped  []string `json:"skipped"`
	Warnings []string `json:"warnings"`
}
