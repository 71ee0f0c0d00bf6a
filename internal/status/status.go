// Package status holds what walferry reports of a migration as plain values:
// the JSON of the command line, and the progress that a terminal or a log shows.
package status

import "time"

// SchemaVersion is the version of every JSON object that walferry prints. Fields
// may be added to it; it is raised when one changes its meaning or goes.
const SchemaVersion = 1

// Status is what `walferry status --json` prints.
type Status struct {
	SchemaVersion int        `json:"schema_version"`
	Name          string     `json:"name"`
	Databases     []Database `json:"databases"`
}

// Database is the state of one database's migration.
type Database struct {
	Database string `json:"database"`
	Phase    string `json:"phase"`
	// Running names the session on the target that runs the migration; null when none does.
	Running *Running `json:"running"`
	Error   string   `json:"error,omitempty"`
	Rung    string   `json:"rung,omitempty"`
	// Lag, and what becomes of it at the present speed; Forecast is null where that cannot be told.
	Lag      Lag       `json:"lag"`
	Forecast *Forecast `json:"forecast,omitempty"`
	// Verified is the last finished verification; null when there was none.
	Verified *Verified `json:"verified"`
	// Cutover is null before one has begun.
	Cutover   *Cutover `json:"cutover,omitempty"`
	LSN       LSNs     `json:"lsn"`
	Slot      Slot     `json:"slot"`
	Tables    []Table  `json:"tables"`
	Warnings  []string `json:"warnings"`
	BlockedBy []string `json:"blocked_by"`
	Next      []string `json:"next"`
}

// Running is a walferry at work, as the target's server sees it.
type Running struct {
	// Command is what runs it, By for whom: user@host (pid).
	Command string `json:"command"`
	By      string `json:"by"`

	PID     int32     `json:"pid"`
	User    string    `json:"user"`
	Address string    `json:"address"`
	Since   time.Time `json:"since"`
}

// Verified is what the last finished verification found.
type Verified struct {
	At    time.Time `json:"at"`
	LSN   string    `json:"lsn"`
	Equal bool      `json:"equal"`
}

// Lag is how far each rung of the ladder stands behind the source. Seconds say how long ago
// the source was where that rung is, and are zero when nothing is missing.
type Lag struct {
	// Bytes and Seconds are those of what is applied.
	Bytes           int64   `json:"bytes"`
	Seconds         float64 `json:"seconds"`
	ReceivedBytes   int64   `json:"received_bytes"`
	ReceivedSeconds float64 `json:"received_seconds"`
	DurableBytes    int64   `json:"durable_bytes"`
	DurableSeconds  float64 `json:"durable_seconds"`
}

// LSNs is the ladder from the source's position down to what is durable on the target.
type LSNs struct {
	Source   string `json:"source"`
	Received string `json:"received"`
	Applied  string `json:"applied"`
	Durable  string `json:"durable"`
}

// Slot is the health of the replication slot. SafeWALSize is how many bytes the
// source may still write before the slot is lost; null when nothing limits it.
type Slot struct {
	Name          string `json:"name"`
	Active        bool   `json:"active"`
	WALStatus     string `json:"wal_status"`
	RetainedBytes int64  `json:"retained_bytes"`
	SafeWALSize   *int64 `json:"safe_wal_size"`
}

// Table is the state of one table.
type Table struct {
	Table         string  `json:"table"`
	State         string  `json:"state"`
	Rows          int64   `json:"rows"`
	Bytes         int64   `json:"bytes"`
	Seconds       float64 `json:"seconds"`
	MissedUpdates int64   `json:"missed_updates"`
	MissedDeletes int64   `json:"missed_deletes"`
	Reason        string  `json:"reason,omitempty"`
	// RowByRow says why its changes are applied one by one, which is slower; empty when they are not.
	RowByRow string `json:"row_by_row,omitempty"`
}

// Remark is what else there is to say of a table, in words.
func (t Table) Remark() string {
	if t.RowByRow != "" && t.Reason == "" {
		return "row by row: " + t.RowByRow
	}
	return t.Reason
}
