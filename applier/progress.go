package applier

import (
	"sync"
	"time"

	"github.com/walferry/walferry/decoder"
)

// Stats counts what a Run has committed on the target.
type Stats struct {
	// Commits counts target transactions that held rows.
	Commits int64
	// Transactions counts source transactions.
	Transactions int64
	// Inserts, Updates, Deletes and Truncates count the source's changes that were
	// applied; skipped ones are not counted.
	Inserts, Updates, Deletes, Truncates int64
	// Retries counts target transactions that were rolled back and written again, for
	// a deadlock, a serialization failure or a lock timeout.
	Retries int64
	// MissedUpdates and MissedDeletes found no row on the target.
	MissedUpdates, MissedDeletes int64
	// RowByRow are the tables whose changes cannot be written as sets, which is slower.
	// It must not be modified.
	RowByRow []RowByRow
	// CommitTime is when the source committed the last transaction that was applied.
	CommitTime time.Time
}

// RowByRow is a table whose updates and deletes are applied one by one.
type RowByRow struct {
	// Namespace and Name are the table's on the source.
	Namespace, Name string
	// Reason is a clause that says why.
	Reason string
}

// progress is what other goroutines may read.
type progress struct {
	mu      sync.Mutex
	stats   Stats
	applied decoder.LSN
	durable decoder.LSN
}

// Applied returns the end of what has been committed on the target: everything
// before it is there, but a crash of the target may still lose it. Options.Start
// until the first commit.
func (a *Applier) Applied() decoder.LSN {
	a.progress.mu.Lock()
	defer a.progress.mu.Unlock()
	return a.progress.applied
}

// Durable returns the end of what a crash of the target cannot lose. This is what
// may be reported to the source as flushed. Options.Start until the first
// commit.
func (a *Applier) Durable() decoder.LSN {
	a.progress.mu.Lock()
	defer a.progress.mu.Unlock()
	return a.progress.durable
}

// Stats returns what has been committed so far.
func (a *Applier) Stats() Stats {
	a.progress.mu.Lock()
	defer a.progress.mu.Unlock()
	return a.progress.stats
}

// advance takes over what a lane has committed.
func (p *progress) advance(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.add(&l.committed)
	l.committed = Stats{}
	p.stats.RowByRow = l.rowByRow
	p.applied, p.durable = l.last.EndLSN, l.durability.durable
}

// add counts b into s.
func (s *Stats) add(b *Stats) {
	s.Commits += b.Commits
	s.Transactions += b.Transactions
	s.Inserts += b.Inserts
	s.Updates += b.Updates
	s.Deletes += b.Deletes
	s.Truncates += b.Truncates
	s.Retries += b.Retries
	s.MissedUpdates += b.MissedUpdates
	s.MissedDeletes += b.MissedDeletes
	if !b.CommitTime.IsZero() {
		s.CommitTime = b.CommitTime
	}
}

// changes is how many changes are counted.
func (s *Stats) changes() int64 {
	return s.Inserts + s.Updates + s.Deletes + s.Truncates
}
