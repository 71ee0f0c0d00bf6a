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
	// BytesTotal is an estimate of what BytesCopied will come to: what the tables take on
	// the source's disk, corrected by what those that are done took there.
	BytesTotal int64 `json:"bytes_total"`
	// Copying are the tables that are being copied, the largest first.
	Copying []TableProgress `json:"copying,omitempty"`

	EntriesDone  int `json:"entries_done"`
	EntriesTotal int `json:"entries_total"`

	LagBytes     int64  `json:"lag_bytes"`
	AppliedLSN   string `json:"applied_lsn,omitempty"`
	Transactions int64  `json:"transactions"`
	Changes      int64  `json:"changes"`
}

// TableProgress is one moment of one table's copy.
type TableProgress struct {
	Table       string `json:"table"`
	BytesCopied int64  `json:"bytes_copied"`
	// BytesTotal is an estimate.
	BytesTotal int64 `json:"bytes_total"`
	ChunksDone int   `json:"chunks_done"`
	Chunks     int   `json:"chunks"`
}

// Summary is what a finished command reports. Of several databases it has the
// roles and one entry for each database, whose Summary has the rest.
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
	Roles         []Role  `json:"roles"`
	// Databases are those that were asked for, also when it was one.
	Databases []DatabaseResult `json:"databases"`
	// Skipped names what was not moved, and why; Warnings what was moved with a loss.
	Skipped  []string `json:"skipped"`
	Warnings []string `json:"warnings"`
	// Cutover is set once there was one.
	Cutover *Cutover `json:"cutover,omitempty"`
}

// Step is one step of a cutover, as it went the last time.
type Step struct {
	Step string `json:"step"`
	// State is running, done, failed, or planned in a dry run.
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail,omitempty"`
	// Would lists what a dry run would have done.
	Would []string `json:"would,omitempty"`
}

// Cutover is how a cutover went.
type Cutover struct {
	Fence    string `json:"fence"`
	FinalLSN string `json:"final_lsn,omitempty"`
	// FencedSeconds is how long the source had been closed when the cutover was decided.
	FencedSeconds float64 `json:"fenced_seconds"`
	Decided       bool    `json:"decided"`
	// Verified says that rows were compared behind the final LSN and are equal.
	Verified bool   `json:"verified"`
	Steps    []Step `json:"steps"`
}

// Role is what became of a role of the source's cluster.
type Role struct {
	Name string `json:"name"`
	// Status is created, exists or failed.
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	// Password is the random one that it was given; only when that was asked for.
	Password string `json:"password,omitempty"`
}

// DatabaseResult is what became of one database.
type DatabaseResult struct {
	Database string `json:"database"`
	// Method is replication or dump, empty when it was not decided.
	Method string `json:"method,omitempty"`
	// Status is the phase that was reached, or skipped or failed.
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	// Summary is the database's own; null where there is none or it is the whole.
	Summary *Summary `json:"summary,omitempty"`
}
