//go:build !race

package handoffmodel

// copySteps makes a snapshot where none is open, and copies any uncopied table.
func (r resume) copySteps(s progress, emit func(string, progress)) {
	switch {
	case s.point == unset && r.lsnBefore && s.stale == unset:
		n := s
		n.stale = s.logged
		emit("read LSN", n)
	case s.point == unset:
		n := s
		n.point, n.snap = s.logged, s.src
		if !r.lsnBefore && !r.lsnAfter && !r.lateAnnounce {
			n.stale = n.point
		}
		emit("new snapshot", n)
	case s.stale == unset: // lsnAfter or lateAnnounce
		n := s
		n.stale = s.point
		if r.lsnAfter {
			n.stale = s.logged
		}
		emit("learn LSN", n)
	}
	if r.chunked.on {
		r.chunkSteps(s, emit)
	}
	for t := range int8(tables) {
		switch {
		case t == 0 && r.chunked.on:
		case s.mark[t] != unset || s.point == unset || s.stale == unset:
		case s.written[t]:
			n := s
			n.mark[t], n.written[t] = s.stale, false
			emit("ledger", n)
		default:
			n := s
			for _, k := range keysOf[t] {
				n.broken = n.broken || n.tgt[k] != 0 && !r.truncate && !r.lenient
				n.tgt[k] = s.snap[k]
			}
			if r.splitLedger {
				n.written[t] = true
			} else {
				n.mark[t] = s.stale
			}
			emit("copy", n)
		}
	}
	if r.ackInCopy && s.flush < s.logged {
		n := s
		n.flush = s.logged
		emit("acknowledge", n)
	}
}

func (r resume) applySteps(s progress, emit func(string, progress)) {
	if r.splitCkpt && s.applied != s.pos {
		n := s
		n.applied = s.pos
		emit("checkpoint", n)
		return
	}
	switch {
	case s.pos == s.logged:
		return
	case s.copied():
	case !r.during:
		return
	case r.waitAtPoint && s.stale == unset && !r.lateAnnounce:
		return // nothing says yet where to wait
	case r.waitAtPoint && s.stale != unset && s.pos >= s.stale:
		return
	}
	n := s
	c := s.log[s.pos]
	switch {
	case r.chunked.routed && c.table() == 0:
		r.applyRouted(&n, c)
	case !r.skips(&s, c):
		r.apply(&n, c)
	}
	n.pos++
	if !r.splitCkpt {
		n.applied = n.pos
	}
	emit("apply", n)
}

// skips reports whether the copy of its table already holds the change at s.pos.
func (r resume) skips(s *progress, c change) bool {
	mark := s.mark[c.table()]
	switch {
	case mark == unset:
		return true
	case r.ignoreMark:
		return false
	case r.oneMark:
		for _, m := range s.mark {
			mark = max(mark, m)
		}
	}
	at := s.pos
	if r.byChangeLSN && c.early {
		at--
	}
	return at < mark+r.shift
}

// apply changes the target as the applier does: an UPDATE sets the columns that
// the stream carried, in the row that has the old key.
func (r resume) apply(s *progress, c change) {
	found := s.tgt[c.from]
	if !r.lenient {
		s.broken = s.broken || found != c.old || c.from != c.to && s.tgt[c.to] != 0
	}
	switch {
	case c.old != 0 && found == 0: // an UPDATE or DELETE that finds no row does nothing
	case c.new == 0:
		s.tgt[c.from] = 0
	default:
		v := c.new
		if c.partial() {
			v = mkRow(colA(c.new), colB(found))
		}
		s.tgt[c.from] = 0
		s.tgt[c.to] = v
	}
}
