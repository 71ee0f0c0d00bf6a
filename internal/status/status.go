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
	Running   *Running `json:"running"`
	Error     string   `json:"error,omitempty"`
	Rung      string   `json:"rung,omitempty"`
	Lag       Lag      `json:"lag"`
	LSN       LSNs     `json:"lsn"`
	Slot      Slot     `json:"slot"`
	Tables    []Table  `json:"tables"`
	Warnings  []string `json:"warnings"`
	BlockedBy []string `json:"blocked_by"`
	Next      []string `json:"next"`
}

// Running is a walferry at work, as the target's server sees it.
type Running struct {
	PID     int32     `json:"pid"`
	User    string    `json:"user"`
	Address string    `json:"address"`
	Since   time.Time `json:"since"`
}

// Lag is how far what is applied stands behind the source.
type Lag struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
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
