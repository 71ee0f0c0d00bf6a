//go:build !race

package handoffmodel

// chunks is what is known of table 0 when each of its keys is a chunk. claim and from
// are in the ledger; a process that ends takes claimed and written with it.
type chunks struct {
	claim   int8    // consistent point of the snapshot that the table was begun from last
	from    [2]int8 // consistent point of the snapshot that the chunk was copied from
	claimed bool    // this run has begun the table
	written [2]bool // the rows are there, the chunk's ledger entry is still to follow
	// A chunk's transaction of a killed run that has not ended on the server.
	late struct {
		open  bool
		key   int8
		row   row
		point int8
	}
}

var noChunks = chunks{claim: unset, from: [2]int8{unset, unset}}

// chunkRule says how table 0 is copied in chunks, each with a ledger entry.
type chunkRule struct {
	on       bool
	keep     bool // chunks stay when the snapshot is lost; the others come from the next one
	keepRows bool // the ledger's chunks are forgotten, their rows are not
	oldest   bool // with keep: the table's watermark is the oldest of its chunks', not the newest
	routed   bool // with keep: each chunk has its own; a row that moves leaves one and comes to the other
	late     bool // a killed run's chunk may commit later
	unfenced bool // with late: also after the next run has begun the table
}

// chunkSteps copies table 0.
func (r resume) chunkSteps(s progress, emit func(string, progress)) {
	c := s.chunks
	if c.late.open {
		r.lateSteps(s, emit)
	}
	switch {
	case s.mark[0] != unset:
		return
	case c.from[0] != unset && c.from[1] != unset:
		n := s
		switch {
		case r.chunked.keep && r.chunked.oldest:
			n.mark[0] = min(c.from[0], c.from[1])
		case r.chunked.keep:
			n.mark[0] = max(c.from[0], c.from[1])
		default:
			n.mark[0] = c.claim
		}
		emit("complete", n)
		return
	case s.point == unset || s.stale == unset:
		return
	case !c.claimed:
		if c.late.open && !r.chunked.unfenced {
			return // its lock is waited for
		}
		n := s
		n.chunks.claimed, n.chunks.claim = true, s.stale
		if !r.chunked.keep {
			n.chunks.from = noChunks.from
			if !r.chunked.keepRows {
				n.tgt[0], n.tgt[1] = 0, 0
			}
		}
		emit("claim", n)
		return
	}
	for k := range int8(2) {
		n := s
		switch {
		case c.from[k] != unset:
		case c.written[k]:
			n.chunks.from[k], n.chunks.written[k] = s.stale, false
			emit("chunk's ledger", n)
			if s.crashes < r.crashes { // the connection is lost, the process and its snapshot live
				n = s
				n.crashes++
				n.chunks.written[k] = false
				emit("target lost", n)
			}
		default:
			n.broken = n.broken || n.tgt[k] != 0
			n.tgt[k] = s.snap[k]
			if r.splitLedger {
				n.chunks.written[k] = true
			} else {
				n.chunks.from[k] = s.stale
			}
			emit("copy chunk", n)
		}
	}
}

// crashInChunk leaves the server with a chunk's transaction; n is the state after the
// crash without one.
func (r resume) crashInChunk(s, n progress, emit func(string, progress)) {
	if !r.chunked.late || !s.chunks.claimed || s.mark[0] != unset || s.chunks.late.open {
		return
	}
	for k := range int8(2) {
		if s.chunks.from[k] == unset {
			left := n
			l := &left.chunks.late
			l.open, l.key, l.row, l.point = true, k, s.snap[k], s.stale
			emit("crash in chunk", left)
		}
	}
}

// lateSteps ends the transaction of a killed run.
func (r resume) lateSteps(s progress, emit func(string, progress)) {
	l := s.chunks.late
	n := s
	n.chunks.late = noChunks.late
	emit("late rollback", n)
	if s.chunks.from[l.key] != unset || s.mark[0] != unset {
		return // the ledger has that chunk: a unique violation
	}
	n.broken = n.broken || n.tgt[l.key] != 0
	n.tgt[l.key], n.chunks.from[l.key] = l.row, l.point
	emit("late commit", n)
}

// applyRouted applies to each chunk what its own copy does not hold. A row that comes
// from a chunk whose copy is newer is inserted from what the stream carries of it.
func (r resume) applyRouted(s *progress, c change) {
	from, to := s.pos >= s.chunks.from[c.from], s.pos >= s.chunks.from[c.to]
	switch {
	case from && to:
		r.apply(s, c)
	case from:
		s.broken = s.broken || s.tgt[c.from] != c.old
		s.tgt[c.from] = 0
	case to:
		v := c.new
		if c.partial() {
			v = mkRow(colA(c.new), 0)
		}
		s.broken = s.broken || s.tgt[c.to] != 0
		s.tgt[c.to] = v
	}
}
