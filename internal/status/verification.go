package status

// Verification is what `walferry verify --json` prints.
type Verification struct {
	SchemaVersion int    `json:"schema_version"`
	Name          string `json:"name"`
	Equal         bool   `json:"equal"`
	// LSN is the source's position at which the tables were compared; where snapshots were
	// taken more than once, the last one. Each table has its own.
	LSN string `json:"lsn"`
	// Aligned reports that both snapshots, of each table, show the same moment of the source. Else
	// each side was compared as it stood, which is exact only while nobody writes.
	Aligned bool            `json:"aligned"`
	Tables  []VerifiedTable `json:"tables"`
	// Sequences and Objects are those that differ, or that the target lacks.
	Sequences []VerifiedSequence `json:"sequences"`
	Objects   []VerifiedObject   `json:"objects"`
	// Skipped names the tables that were not compared, and why.
	Skipped []string `json:"skipped"`
}

// VerifiedTable is the verdict about one table.
type VerifiedTable struct {
	// Database is told where several were begun together, here and below.
	Database string `json:"database,omitempty"`
	Table    string `json:"table"`
	Equal    bool   `json:"equal"`
	LSN      string `json:"lsn"`
	Aligned  bool   `json:"aligned"`
	// Problem says why the rows cannot be compared.
	Problem    string `json:"problem,omitempty"`
	SourceRows int64  `json:"source_rows"`
	TargetRows int64  `json:"target_rows"`
	// Missing rows are only on the source, extra ones only on the target. All counts are exact.
	Missing int64  `json:"missing"`
	Extra   int64  `json:"extra"`
	Changed int64  `json:"changed"`
	Remark  string `json:"remark,omitempty"`
	// Differences is a bounded sample.
	Differences []RowDifference `json:"differences"`
}

// RowDifference is a row that differs. Key holds the values of the key, or of all columns
// where there is none; null is NULL.
type RowDifference struct {
	Kind    string             `json:"kind"`
	Key     map[string]*string `json:"key"`
	Columns []string           `json:"columns,omitempty"`
}

// VerifiedSequence is a sequence whose next value differs. Held reports that sequences
// are set at the cutover, and that it is no difference until then.
type VerifiedSequence struct {
	Database string `json:"database,omitempty"`
	Sequence string `json:"sequence"`
	Problem  string `json:"problem"`
	Held     bool   `json:"held"`
}

// VerifiedObject is an object of the schema that the target lacks or has otherwise. Held
// reports that walferry keeps it back until the cutover, and that it is no difference
// until then.
type VerifiedObject struct {
	Database string `json:"database,omitempty"`
	Kind     string `json:"kind"`
	Object   string `json:"object"`
	Problem  string `json:"problem"`
	Held     bool   `json:"held"`
}
