package decoder

import "slices"

// spool keeps the row and logical messages of one transaction that is streamed
// or prepared, until its outcome is known.
type spool struct {
	xid        uint32
	gid        string // of a prepared transaction
	origin     string
	prepareLSN LSN
	// streamed tells that messages carry the xid of their subtransaction.
	streamed bool
	// relations are the definitions that came within a streamed transaction. Others
	// must not see them before it commits.
	relations relations
	log       *recordLog

	// The relations that records refer to, in order of first use. A record's tag says
	// how many of them were in effect, so that cutting the log loses no definition:
	// the source does not repeat one because a subtransaction was rolled back.
	used      []*Relation
	usedByOID map[uint32]*Relation
	lastUsed  *Relation

	// Where each subtransaction's first record is, ascending by xid.
	subtransactions    []subtransaction
	lastSubtransaction uint32
}

type subtransaction struct {
	xid   uint32
	start int64
}

func newSpool(st *store, xid uint32, streamed bool) *spool {
	return &spool{xid: xid, streamed: streamed, log: newRecordLog(st, xid), usedByOID: make(map[uint32]*Relation)}
}

// use notes a relation that the next record refers to.
func (s *spool) use(rel *Relation) {
	if rel == s.lastUsed {
		return
	}
	s.lastUsed = rel
	if s.usedByOID[rel.OID] != rel {
		s.usedByOID[rel.OID] = rel
		s.used = append(s.used, rel)
	}
}

// add appends a message that subtransaction xid sent.
func (s *spool) add(xid uint32, payload []byte) error {
	if s.streamed && xid != s.xid && xid != s.lastSubtransaction {
		s.lastSubtransaction = xid
		i, found := s.find(xid)
		if !found {
			s.subtransactions = slices.Insert(s.subtransactions, i, subtransaction{xid: xid})
		}
		if t := &s.subtransactions[i]; !found || t.start > s.log.end {
			t.start = s.log.end
		}
	}
	return s.log.append(uint32(len(s.used)), payload)
}

func (s *spool) find(xid uint32) (int, bool) {
	return slices.BinarySearchFunc(s.subtransactions, xid, func(t subtransaction, xid uint32) int {
		return int(int32(t.xid - xid)) // xids wrap around
	})
}

// abort discards a subtransaction. Everything from its first record on goes: what
// follows there, up to now, is its own, its children's, or of an ancestor that is
// rolled back by the same command, since a subtransaction that ended in any other
// way cannot be rolled back alone. The aborts of one command come in any order, so
// those whose records are gone already find nothing to do. A server may send none of
// a subtransaction that it had on disk: its records are left out when they are replayed.
func (s *spool) abort(xid uint32) error {
	i, found := s.find(xid)
	if !found {
		return nil
	}
	start := s.subtransactions[i].start
	younger := slices.DeleteFunc(s.subtransactions[i:], func(t subtransaction) bool { return t.start >= start })
	s.subtransactions = s.subtransactions[:i+len(younger)]
	s.lastSubtransaction = 0
	return s.log.truncate(start)
}

// replay calls f with every kept message. view follows the definitions in effect.
func (s *spool) replay(view *relations, f func(payload []byte) error) error {
	known := 0
	return s.log.each(func(tag uint32, payload []byte) error {
		for ; known < int(tag); known++ {
			view.set(definition{relation: s.used[known]})
		}
		return f(payload)
	})
}

func (s *spool) drop() error { return s.log.drop() }
