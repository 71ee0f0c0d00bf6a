package workload

import "sync/atomic"

// Stats counts what the sessions did. Statements of transactions that were
// rolled back later are among them; rows are those that statements reported.
type Stats struct {
	Committed, Aborted, Large, Prepared int64
	Savepoints, SavepointRollbacks      int64
	Inserts, Copies, Upserts, Deletes   int64
	Updates, KeyUpdates, Swaps, Moves   int64
	Truncates, Messages, Rows           int64
	Violations, Serializations, Reconns int64
}

// counters is Stats while the sessions run.
type counters struct {
	committed, aborted, large, prepared atomic.Int64
	savepoints, savepointRollbacks      atomic.Int64
	inserts, copies, upserts, deletes   atomic.Int64
	updates, keyUpdates, swaps, moves   atomic.Int64
	truncates, messages, rows           atomic.Int64
	violations, serializations, reconns atomic.Int64
}

func (c *counters) stats() Stats {
	return Stats{
		Committed: c.committed.Load(), Aborted: c.aborted.Load(), Large: c.large.Load(), Prepared: c.prepared.Load(),
		Savepoints: c.savepoints.Load(), SavepointRollbacks: c.savepointRollbacks.Load(),
		Inserts: c.inserts.Load(), Copies: c.copies.Load(), Upserts: c.upserts.Load(), Deletes: c.deletes.Load(),
		Updates: c.updates.Load(), KeyUpdates: c.keyUpdates.Load(), Swaps: c.swaps.Load(), Moves: c.moves.Load(),
		Truncates: c.truncates.Load(), Messages: c.messages.Load(), Rows: c.rows.Load(),
		Violations: c.violations.Load(), Serializations: c.serializations.Load(), Reconns: c.reconns.Load(),
	}
}
