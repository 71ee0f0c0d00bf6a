//go:build !race

package handoffmodel

// Bounds of the sharing model.
const (
	sharedKeys   = 2
	sharedWrites = 3
)

// event is one source transaction with one change.
type event struct{ key, old, new int8 }

// partial reports an UPDATE whose new tuple lacks column b.
func (e event) partial() bool { return e.old != 0 && e.new != 0 && colB(e.old) == colB(e.new) }

// shared is a state of the sharing model. It is comparable, so it can key the set of visited states.
type shared struct {
	src, tgt, snap [sharedKeys]row
	log            [sharedWrites]event
	logged         int8 // events in log
	pos            int8 // next event the applier receives
	ckpt           int8 // position a restart resumes from
	frontier       int8 // keys below it are copied
	inflight       bool // key frontier has been read and not written
	read           row
	superseded     bool // an event on key frontier was applied after the read
	held           [sharedWrites]int8
	nheld          int8
	crashes        int8
}

// sharing says how one design treats copied rows and streamed events.
type sharing struct {
	name         string
	snapshot     bool // chunks read the exported snapshot, not the live table
	lockedCopy   bool // source rows stay locked from read to target commit
	matchOld     bool // full row images; UPDATE and DELETE match the whole old row
	fullImage    bool // UPDATE always carries every column
	afterCopy    bool // no event is applied before the copy is complete
	dropAbove    bool // events above the in-flight chunk are dropped
	holdAbove    bool // events above the in-flight chunk wait for their chunk
	holdInflight bool // events on the in-flight chunk wait for its commit
	dropInflight bool // events on the in-flight chunk are dropped
	supersede    bool // an event on the in-flight chunk is applied and removes the row from the chunk
	overwrite    bool // the chunk's commit first deletes its key range
	splitRelease bool // held events are released in a later transaction than the chunk's
	ckptPastHeld bool // the checkpoint ignores held events
	liveRestart  bool // after a crash chunks read the live table: the exported snapshot is gone
	crashes      int8
}

func (r sharing) apply(s *shared, e event) {
	t := &s.tgt[e.key]
	switch {
	case r.matchOld && e.old == 0:
		if *t == 0 {
			*t = e.new
		}
	case r.matchOld:
		if *t == e.old {
			*t = e.new
		}
	case e.partial() && !r.fullImage:
		if *t != 0 { // an UPDATE that finds no row inserts nothing: it lacks b
			*t = mkRow(colA(e.new), colB(*t))
		}
	default:
		*t = e.new // upsert, or delete by key
	}
}

func (r sharing) release(s *shared) {
	n := int8(0)
	for i := range s.nheld {
		if e := s.log[s.held[i]]; e.key < s.frontier {
			r.apply(s, e)
		} else {
			s.held[n] = s.held[i]
			n++
		}
	}
	for i := n; i < s.nheld; i++ {
		s.held[i] = 0
	}
	s.nheld = n
	r.checkpoint(s)
}

func (r sharing) checkpoint(s *shared) {
	if s.nheld == 0 || r.ckptPastHeld {
		s.ckpt = s.pos
	} else {
		s.ckpt = s.held[0]
	}
}

func (r sharing) readRow(s shared) row {
	if r.snapshot && (!r.liveRestart || s.crashes == 0) {
		return s.snap[s.frontier]
	}
	return s.src[s.frontier]
}

func (r sharing) writeRow(s *shared, v row) {
	t := &s.tgt[s.frontier]
	switch {
	case s.superseded:
	case r.overwrite: // DELETE the range, then INSERT
		*t = v
	case *t == 0: // INSERT ... ON CONFLICT DO NOTHING
		*t = v
	}
	s.frontier++
	s.inflight, s.read, s.superseded = false, 0, false
}

func (r sharing) next(s shared, emit func(string, shared)) {
	if s.logged < sharedWrites {
		for k := range int8(sharedKeys) {
			for v := range row(rows) {
				if v != s.src[k] {
					n := s
					n.log[n.logged] = event{k, s.src[k], v}
					n.logged++
					n.src[k] = v
					emit("write", n)
				}
			}
		}
	}
	pendingRelease := s.nheld > 0 && s.log[s.held[0]].key < s.frontier
	switch {
	case s.frontier == sharedKeys:
	case r.lockedCopy:
		n := s
		r.writeRow(&n, r.readRow(s))
		emit("copy", n)
	case !s.inflight && !pendingRelease:
		n := s
		n.inflight, n.read = true, r.readRow(s)
		emit("read", n)
	case s.inflight:
		n := s
		r.writeRow(&n, s.read)
		if !r.splitRelease {
			r.release(&n)
		}
		emit("commit chunk", n)
	}
	if pendingRelease {
		n := s
		r.release(&n)
		emit("release", n)
	}
	if s.pos < s.logged && (!r.afterCopy || s.frontier == sharedKeys) {
		n := s
		e := s.log[s.pos]
		n.pos++
		hold := func() { n.held[n.nheld] = s.pos; n.nheld++ }
		switch inflight := s.inflight && e.key == s.frontier; {
		case pendingRelease && e.key == s.log[s.held[0]].key:
			hold() // stay behind the events already waiting for this key
		case inflight && r.holdInflight:
			hold()
		case inflight && r.dropInflight:
		case inflight && r.supersede:
			n.superseded = true
			r.apply(&n, e)
		case inflight:
			r.apply(&n, e)
		case e.key >= s.frontier && r.dropAbove:
		case e.key >= s.frontier && r.holdAbove:
			hold()
		default:
			r.apply(&n, e)
		}
		r.checkpoint(&n)
		emit("receive", n)
	}
	if s.crashes < r.crashes {
		n := s
		n.crashes++
		n.inflight, n.read, n.superseded = false, 0, false
		n.held, n.nheld = [sharedWrites]int8{}, 0
		n.pos = n.ckpt
		emit("crash", n)
	}
}

func quiet(s shared) bool {
	return s.frontier == sharedKeys && !s.inflight && s.nheld == 0 && s.pos == s.logged
}

// starts are all contents of the table, of which the copy and the exported
// snapshot are made.
func (r sharing) starts() (all []shared) {
	for a := range row(rows) {
		for b := range row(rows) {
			content := [sharedKeys]row{a, b}
			all = append(all, shared{src: content, snap: content})
		}
	}
	return all
}

func (r sharing) wrong(s shared) bool { return quiet(s) && s.src != s.tgt }
