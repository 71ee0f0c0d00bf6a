package decoder

import "github.com/cockroachdb/errors"

// beginPrepare opens a transaction that ends in PREPARE TRANSACTION. It counts as
// pending from here on. A second prepare of the same transaction is as whole as
// the first and takes its place.
func (a *Assembler) beginPrepare(m *BeginPrepareMessage) error {
	if err := a.discard(a.prepared, m.XID); err != nil {
		return err
	}
	s := newSpool(a.store, m.XID, false)
	s.gid, s.prepareLSN = m.GID, m.PrepareLSN
	a.prepared[m.XID] = s
	a.state, a.spool = inPrepare, s
	return nil
}

func (a *Assembler) prepare(m *PrepareMessage, payload []byte) error {
	if a.state != inPrepare {
		return a.misplaced(payload)
	}
	s := a.spool
	if m.XID != s.xid || m.GID != s.gid || m.PrepareLSN != s.prepareLSN {
		return a.violation("transaction %d is prepared at %s, its begin said transaction %d at %s", m.XID, m.PrepareLSN, s.xid, s.prepareLSN)
	}
	a.state, a.spool = idle, nil
	return nil
}

func (a *Assembler) commitPrepared(m *CommitPreparedMessage) error {
	s := a.prepared[m.XID]
	if s == nil || s.gid != m.GID {
		if m.CommitLSN < a.skipBefore {
			return nil
		}
		return errors.WithHint(
			a.violation("commit of prepared transaction %d (%q), whose prepare did not come", m.XID, m.GID),
			"the slot was advanced past its prepare, so its changes cannot be received any more: copy the tables again, with a new slot")
	}
	if err := a.replay(s, Transaction{XID: m.XID, CommitLSN: m.CommitLSN, EndLSN: m.EndLSN, CommitTime: m.CommitTime}); err != nil {
		return err
	}
	return a.discard(a.prepared, m.XID)
}

// rollbackPrepared drops a prepared transaction. The server reports the rollback
// also of one that it never sent.
func (a *Assembler) rollbackPrepared(m *RollbackPreparedMessage) error {
	return a.discard(a.prepared, m.XID)
}
