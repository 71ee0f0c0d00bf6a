package applier

import (
	"slices"
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
	// applied; skipped ones are not counted, a TRUNCATE once in each lane that
	// applied it.
	Inserts, Updates, Deletes, Truncates int64
	// Retries counts target transactions that were rolled back and written again, for
	// a deadlock, a serialization failure or a lock timeout.
	Retries int64
	// MissedUpdates and MissedDeletes found no row on the target.
	MissedUpdates, MissedDeletes int64
	// RowByRow are the tables whose changes cannot be written as sets, which is slower.
	RowByRow []RowByRow
	// CommitTime is when the source committed the last transaction that was applied,
	// in the lane where that was earliest.
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
	mu    sync.Mutex
	stats Stats
	lanes []laneProgress
}

type laneProgress struct {
	applied, durable decoder.LSN
	commitTime       time.Time
	rowByRow         []RowByRow
}

func newProgress(options *Options, lanes int) *progress {
	p := &progress{lanes: make([]laneProgress, lanes)}
	for i := range p.lanes {
		p.lanes[i].applied, p.lanes[i].durable = options.start(i), options.start(i)
	}
	return p
}

// Applied returns the end of what has been committed on the target, in all lanes:
// everything before it is there, but a crash of the target may still lose it.
// Options.Start until the first commit.
func (a *Applier) Applied() decoder.LSN {
	return a.progress.least(func(l *laneProgress) decoder.LSN { return l.applied })
}

// Durable returns the end of what a crash of the target cannot lose, in all lanes.
// This is what may be reported to the source as flushed. Options.Start until the first
// commit.
func (a *Applier) Durable() decoder.LSN {
	return a.progress.least(func(l *laneProgress) decoder.LSN { return l.durable })
}

func (p *progress) least(of func(*laneProgress) decoder.LSN) decoder.LSN {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := of(&p.lanes[0])
	for i := range p.lanes {
		least = min(least, of(&p.lanes[i]))
	}
	return least
}

// Stats returns what has been committed so far.
func (a *Applier) Stats() Stats {
	p := a.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.RowByRow = p.rowByRow()
	for i := range p.lanes {
		l := &p.lanes[i]
		if s.CommitTime.IsZero() || !l.commitTime.IsZero() && l.commitTime.Before(s.CommitTime) {
			s.CommitTime = l.commitTime
		}
	}
	return s
}

// rowByRow are those of all lanes, each once.
func (p *progress) rowByRow() []RowByRow {
	if len(p.lanes) == 1 {
		return slices.Clip(p.lanes[0].rowByRow)
	}
	var all []RowByRow
	seen := map[RowByRow]bool{}
	for i := range p.lanes {
		for _, table := range p.lanes[i].rowByRow {
			if !seen[table] {
				seen[table] = true
				all = append(all, table)
			}
		}
	}
	return all
}

// advance takes over what a lane has committed.
func (p *progress) advance(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.add(&l.committed)
	l.committed = Stats{}
	p.lanes[l.number] = laneProgress{
		applied: l.last.EndLSN, durable: l.durability.durable,
		commitTime: l.last.CommitTime, rowByRow: l.rowByRow,
	}
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
}

// changes is how many changes are counted.
func (s *Stats) changes() int64 {
	return s.Inserts + s.Updates + s.Deletes + s.Truncates
}
