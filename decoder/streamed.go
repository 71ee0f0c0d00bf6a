package decoder

import (
	"encoding/binary"

	"github.com/cockroachdb/errors"
)

// streamStart opens a segment. The first one begins the transaction anew, also if
// the server has sent some of it before.
func (a *Assembler) streamStart(m *StreamStartMessage) error {
	s := a.streamed[m.XID]
	if m.First {
		if err := a.discard(a.streamed, m.XID); err != nil {
			return err
		}
		s = newSpool(a.store, m.XID, true)
		a.streamed[m.XID] = s
	}
	if s == nil {
		return a.violation("stream start continues transaction %d, whose first segment did not come", m.XID)
	}
	a.state, a.spool, a.view = inStream, s, &s.relations
	return nil
}

func (a *Assembler) streamStop(payload []byte) error {
	if a.state != inStream {
		return a.misplaced(payload)
	}
	a.state, a.spool, a.view = idle, nil, &a.relations
	return nil
}

func (a *Assembler) streamCommit(m *StreamCommitMessage) error {
	s := a.streamed[m.XID]
	if s == nil {
		return a.violation("stream commit of transaction %d, which was not streamed", m.XID)
	}
	// From here on the server counts these definitions as sent.
	a.relations.merge(&s.relations)
	if err := a.replay(s, Transaction{XID: m.XID, CommitLSN: m.CommitLSN, EndLSN: m.EndLSN, CommitTime: m.CommitTime}); err != nil {
		return err
	}
	return a.discard(a.streamed, m.XID)
}

// streamAbort discards a transaction or a part of it. One that is not known has
// nothing to discard.
func (a *Assembler) streamAbort(m *StreamAbortMessage) error {
	if m.SubXID == m.XID {
		return a.discard(a.streamed, m.XID)
	}
	if s := a.streamed[m.XID]; s != nil {
		return s.abort(m.SubXID)
	}
	return nil
}

func (a *Assembler) streamPrepare(m *StreamPrepareMessage) error {
	s := a.streamed[m.XID]
	if s == nil {
		return a.violation("stream prepare of transaction %d, which was not streamed", m.XID)
	}
	a.relations.merge(&s.relations)
	if err := a.discard(a.prepared, m.XID); err != nil {
		return err
	}
	delete(a.streamed, m.XID)
	s.gid, s.prepareLSN = m.GID, m.PrepareLSN
	a.prepared[m.XID] = s
	return nil
}

// replay hands over what a spool kept.
func (a *Assembler) replay(s *spool, tx Transaction) error {
	tx.Origin = s.origin
	a.open(tx)
	a.state = inTransaction
	if !a.skip {
		gone, err := a.rolledBackOf(s)
		if err != nil {
			return err
		}
		var view relations
		a.view = &view
		err = s.replay(&view, func(payload []byte) error {
			if len(gone) > 0 && gone[binary.BigEndian.Uint32(payload[1:])] {
				return nil
			}
			m, err := a.decoder.Decode(payload, s.streamed)
			if err != nil {
				return err
			}
			return a.accept(m, payload)
		})
		a.view = &a.relations
		if err != nil {
			return err
		}
	}
	return a.finish()
}

// rolledBackOf returns the subtransactions whose records the spool still holds
// although they were rolled back: not every abort is sent.
func (a *Assembler) rolledBackOf(s *spool) (map[uint32]bool, error) {
	if len(s.subtransactions) == 0 {
		return nil, nil
	}
	if a.rolledBack == nil {
		return nil, errors.WithHint(
			a.violation("transaction %d was streamed with subtransactions, and nothing says which were rolled back", s.xid),
			"set AssemblerOptions.RolledBack, or turn streaming off")
	}
	asked := make([]uint32, len(s.subtransactions))
	for i, t := range s.subtransactions {
		asked[i] = t.xid
	}
	answer, err := a.rolledBack(asked)
	if err != nil {
		return nil, errors.Wrapf(err, "ask which subtransactions of transaction %d were rolled back", errors.Safe(s.xid))
	}
	gone := make(map[uint32]bool, len(answer))
	for _, xid := range answer {
		gone[xid] = true
	}
	return gone, nil
}

// discard forgets a spool, if there is one.
func (a *Assembler) discard(spools map[uint32]*spool, xid uint32) error {
	s := spools[xid]
	if s == nil {
		return nil
	}
	delete(spools, xid)
	return s.drop()
}
