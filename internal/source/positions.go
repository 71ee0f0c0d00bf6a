package source

import "sync/atomic"

// Positions are what a stream reports to the source. They only move forward. The
// zero value is ready to use; all methods are safe for concurrent use.
//
// Stream sets what was received; whoever applies sets the rest. One value serves
// all streams of a slot, one after the other.
type Positions struct {
	received, flushed, applied atomic.Uint64
}

// Received is the newest position that the source has sent.
func (p *Positions) Received() LSN { return LSN(p.received.Load()) }

// Flushed is the newest position whose changes are durable on the target.
func (p *Positions) Flushed() LSN { return LSN(p.flushed.Load()) }

// Applied is the newest position whose changes are visible on the target.
func (p *Positions) Applied() LSN { return LSN(p.applied.Load()) }

// SetReceived is called by Stream.
func (p *Positions) SetReceived(lsn LSN) { advance(&p.received, lsn) }

// SetFlushed says that everything up to lsn is durable on the target together with
// its checkpoint, or that nothing up to lsn was to be applied. The source may
// remove its WAL up to there.
func (p *Positions) SetFlushed(lsn LSN) { advance(&p.flushed, lsn) }

// SetApplied says that everything up to lsn is committed on the target.
func (p *Positions) SetApplied(lsn LSN) { advance(&p.applied, lsn) }

func advance(at *atomic.Uint64, lsn LSN) {
	for {
		old := at.Load()
		if uint64(lsn) <= old || at.CompareAndSwap(old, uint64(lsn)) {
			return
		}
	}
}
