package decoder

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
	if a.state == idle {
		// Server 18 leaves the begin out when the transaction did no more than lock rows.
		if err := a.beginPrepare(&BeginPrepareMessage{XID: m.XID, GID: m.GID, PrepareLSN: m.PrepareLSN}); err != nil {
			return err
		}
	}
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

// commitPrepared hands a prepared transaction over. When its prepare did not come
// it changed nothing: servers up to 17 do not send the prepare of a transaction
// that did no more than lock rows, but do send its commit.
func (a *Assembler) commitPrepared(m *CommitPreparedMessage) error {
	tx := Transaction{XID: m.XID, CommitLSN: m.CommitLSN, EndLSN: m.EndLSN, CommitTime: m.CommitTime}
	s := a.prepared[m.XID]
	if s == nil {
		a.open(tx)
		return a.finish()
	}
	if s.gid != m.GID {
		return a.violation("transaction %d commits as %q, it was prepared as %q", m.XID, m.GID, s.gid)
	}
	if err := a.replay(s, tx); err != nil {
		return err
	}
	return a.discard(a.prepared, m.XID)
}

// rollbackPrepared drops a prepared transaction. The server reports the rollback
// also of one that it never sent.
func (a *Assembler) rollbackPrepared(m *RollbackPreparedMessage) error {
	return a.discard(a.prepared, m.XID)
}
