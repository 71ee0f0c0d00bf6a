package decoder

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/errors"
)

// AssemblerOptions configure an Assembler. The zero value is the recommended setting.
type AssemblerOptions struct {
	// SkipBefore drops transactions whose CommitLSN lies below it, as START_REPLICATION
	// does for its start point. Default: none is dropped.
	SkipBefore LSN
	// MemoryBytes bounds what transactions in progress or prepared take in memory
	// before they go to files in SpillDir. Default: 32 MiB.
	MemoryBytes int64
	// SpillDir is an existing directory for those files. They vanish with the
	// Assembler, however the process ends. Default: os.TempDir(), which on many systems
	// is memory: name a disk when transactions are large.
	SpillDir string
	// SpillBytes bounds the files together. Default: what the file system holds.
	SpillBytes int64
	// RolledBack returns which of the given subtransactions were rolled back, all of a
	// streamed transaction that has committed. Servers 14 to 18 do not always send
	// that: what they had on disk before they streamed it, more than 4096 changes of
	// one subtransaction, is rolled back without a word. The source knows: it is what
	// pg_xact_status calls aborted. Without this function a streamed transaction is
	// refused when rows of subtransactions are left in it.
	RolledBack func(subtransactions []uint32) ([]uint32, error)
}

// Assembler joins the messages of one replication connection to transactions and
// hands them to a Handler in commit order. A transaction that the server sends
// whole is handed over change by change as it arrives and is never held. One that
// it sends in progress or prepared is kept, in memory and then in a file, until it
// commits.
//
// An Assembler belongs to one connection: the server defines relations once per
// connection, so a reconnect needs a new one. Its methods are for one goroutine.
type Assembler struct {
	handler    Handler
	skipBefore LSN
	rolledBack func(subtransactions []uint32) ([]uint32, error)
	decoder    Decoder

	// relations is the committed view, view what the next rows refer to: the same, or
	// that of a streamed transaction.
	relations relations
	view      *relations
	arrivals  uint64

	state state
	spool *spool // receives the rows of inStream and inPrepare
	begun bool   // the handler knows of the transaction, or is not to
	skip  bool   // the transaction is not handed over

	store    *store
	streamed map[uint32]*spool
	prepared map[uint32]*spool

	lsn LSN   // of the newest message that had one, for errors
	err error // ends the stream

	// Handed over by reference and reused.
	tx        Transaction
	change    Change
	truncated []*Relation
}

// state is where in the stream the next message stands.
type state byte

const (
	idle          state = iota
	inTransaction       // between begin and commit, or replaying a spool
	inStream            // between stream start and stream stop
	inPrepare           // between begin prepare and prepare
)

// NewAssembler returns an Assembler for a fresh connection. Close releases what it holds.
func NewAssembler(o AssemblerOptions, h Handler) *Assembler {
	a := &Assembler{
		handler: h, skipBefore: o.SkipBefore, rolledBack: o.RolledBack, store: newStore(o),
		streamed: make(map[uint32]*spool), prepared: make(map[uint32]*spool),
	}
	a.view = &a.relations
	return a
}

// Push takes the payload of one XLogData message, in the order of arrival.
// walStart is that message's position, which the server leaves zero for some; it
// serves to locate errors. The payload is not kept. After an error every call
// returns it again.
func (a *Assembler) Push(walStart LSN, payload []byte) error {
	if a.err != nil {
		return a.err
	}
	if walStart != 0 {
		a.lsn = walStart
	}
	m, err := a.decoder.Decode(payload, a.state == inStream)
	if err != nil {
		a.err = errors.Wrapf(err, "decode the stream at %s", errors.Safe(a.lsn))
		return a.err
	}
	a.err = a.accept(m, payload)
	return a.err
}

// Pending returns where the oldest transaction was prepared that is neither
// committed nor rolled back, or zero when there is none.
//
// While it is not zero, do not report a flush position past it: the server sends
// a prepared transaction again only to a client that starts at or before that
// point. To others it sends the outcome alone, which cannot be told from that of a
// transaction without changes, so its changes would be lost. In return nothing of
// it has to outlive the process: a restart from the acknowledged position, with
// SkipBefore set to the EndLSN of the last applied transaction, misses and repeats
// nothing. The price: the source's fast shutdown waits for the acknowledgement. A
// client that does not need prepared transactions early should leave
// StreamOptions.TwoPhase off and has none of this.
func (a *Assembler) Pending() LSN {
	var oldest LSN
	for _, s := range a.prepared {
		if oldest == 0 || s.prepareLSN < oldest {
			oldest = s.prepareLSN
		}
	}
	return oldest
}

// Close releases memory and files. Transactions whose commit has not come are
// dropped; the server sends them again. It may be called more than once.
func (a *Assembler) Close() error {
	if a.err == nil {
		a.err = errors.New("the assembler is closed")
	}
	var err error
	for _, spools := range []map[uint32]*spool{a.streamed, a.prepared} {
		for _, s := range spools {
			err = errors.CombineErrors(err, s.drop())
		}
		clear(spools)
	}
	a.spool, a.store.free = nil, nil
	return err
}

// accept handles one message. Rows come first, being nearly all.
func (a *Assembler) accept(m Message, payload []byte) error {
	switch m := m.(type) {
	case *InsertMessage:
		a.change = Change{Op: Insert, New: m.New}
		return a.row(m.XID, m.RelationOID, payload)
	case *UpdateMessage:
		a.change = Change{Op: Update, OldKind: m.OldKind, Old: m.Old, New: m.New}
		return a.row(m.XID, m.RelationOID, payload)
	case *DeleteMessage:
		a.change = Change{Op: Delete, OldKind: m.OldKind, Old: m.Old}
		return a.row(m.XID, m.RelationOID, payload)
	case *TruncateMessage:
		return a.truncate(m, payload)
	case *LogicalMessage:
		return a.logical(m, payload)
	case *RelationMessage:
		a.define(m, payload)
		return nil
	case *TypeMessage:
		return nil
	case *OriginMessage:
		return a.origin(m, payload)
	case *CommitMessage:
		return a.commit(m, payload)
	case *StreamStopMessage:
		return a.streamStop(payload)
	case *PrepareMessage:
		return a.prepare(m, payload)
	}
	// The others come between transactions only.
	if a.state != idle {
		return a.misplaced(payload)
	}
	switch m := m.(type) {
	case *BeginMessage:
		a.state = inTransaction
		a.open(Transaction{XID: m.XID, CommitLSN: m.CommitLSN, CommitTime: m.CommitTime})
		return nil
	case *StreamStartMessage:
		return a.streamStart(m)
	case *StreamCommitMessage:
		return a.streamCommit(m)
	case *StreamAbortMessage:
		return a.streamAbort(m)
	case *StreamPrepareMessage:
		return a.streamPrepare(m)
	case *BeginPrepareMessage:
		return a.beginPrepare(m)
	case *CommitPreparedMessage:
		return a.commitPrepared(m)
	case *RollbackPreparedMessage:
		return a.rollbackPrepared(m)
	default:
		return a.misplaced(payload)
	}
}

// define makes a relation known to the transaction that is open, or to all. One
// whose definition has not changed keeps its pointer.
func (a *Assembler) define(m *RelationMessage, payload []byte) {
	raw := payload[1:]
	if a.state == inStream {
		raw = payload[1+4:]
	}
	a.arrivals++
	d := definition{relation: m.Relation, arrival: a.arrivals}
	for _, view := range []*relations{a.view, &a.relations} {
		if old, ok := view.known[m.Relation.OID]; ok && bytes.Equal(old.raw, raw) {
			d.relation, d.raw = old.relation, old.raw
			break
		}
	}
	if d.raw == nil {
		d.raw = slices.Clone(raw)
	}
	a.view.set(d)
}

func (a *Assembler) origin(m *OriginMessage, payload []byte) error {
	switch {
	case a.state == inTransaction && !a.begun:
		a.tx.Origin = m.Name
	case a.spool != nil:
		a.spool.origin = m.Name
	default:
		return a.misplaced(payload)
	}
	return nil
}

// row completes a.change with its relation and hands it over, or keeps its message.
func (a *Assembler) row(xid, oid uint32, payload []byte) error {
	if a.state == idle {
		return a.misplaced(payload)
	}
	rel, err := a.relation(oid, payload)
	if err != nil {
		return err
	}
	n := len(rel.Columns)
	if (a.change.New != nil && len(a.change.New) != n) || (a.change.Old != nil && len(a.change.Old) != n) {
		return a.violation("%s message for relation %d: its tuples have %d and %d columns, the relation has %d",
			messageName(payload), oid, len(a.change.Old), len(a.change.New), n)
	}
	if a.spool != nil {
		a.spool.use(rel)
		return a.spool.add(xid, payload)
	}
	a.change.Relation = rel
	return a.handOver()
}

func (a *Assembler) truncate(m *TruncateMessage, payload []byte) error {
	if a.state == idle {
		return a.misplaced(payload)
	}
	a.truncated = a.truncated[:0]
	for _, oid := range m.RelationOIDs {
		rel, err := a.relation(oid, payload)
		if err != nil {
			return err
		}
		a.truncated = append(a.truncated, rel)
	}
	if a.spool != nil {
		for _, rel := range a.truncated {
			a.spool.use(rel)
		}
		return a.spool.add(m.XID, payload)
	}
	a.change = Change{Op: Truncate, Truncated: a.truncated, Cascade: m.Cascade, RestartIdentity: m.RestartIdentity}
	return a.handOver()
}

func (a *Assembler) handOver() error {
	if !a.begun {
		if err := a.begin(); err != nil {
			return err
		}
	}
	if a.skip {
		return nil
	}
	return a.handler.Change(&a.change)
}

func (a *Assembler) logical(m *LogicalMessage, payload []byte) error {
	if !m.Transactional {
		// Its LSN is where its record ends, other than that of a commit.
		if a.skipBefore != 0 && m.LSN <= a.skipBefore {
			return nil
		}
		return a.handler.Message(false, m.LSN, m.Prefix, m.Content)
	}
	if a.state == idle {
		return a.misplaced(payload)
	}
	if a.spool != nil {
		return a.spool.add(m.XID, payload)
	}
	if !a.begun {
		if err := a.begin(); err != nil {
			return err
		}
	}
	if a.skip {
		return nil
	}
	return a.handler.Message(true, m.LSN, m.Prefix, m.Content)
}

// open makes tx the transaction that is handed over. The handler hears of it with
// its first message, when the origin is known.
func (a *Assembler) open(tx Transaction) {
	a.tx, a.begun, a.skip = tx, false, tx.CommitLSN < a.skipBefore
}

func (a *Assembler) begin() error {
	a.begun = true
	if a.skip {
		return nil
	}
	return a.handler.Begin(&a.tx)
}

func (a *Assembler) commit(m *CommitMessage, payload []byte) error {
	if a.state != inTransaction {
		return a.misplaced(payload)
	}
	if m.CommitLSN != a.tx.CommitLSN {
		return a.violation("transaction %d commits at %s, its begin said %s", a.tx.XID, m.CommitLSN, a.tx.CommitLSN)
	}
	a.tx.EndLSN = m.EndLSN
	return a.finish()
}

// finish ends the transaction that is handed over.
func (a *Assembler) finish() error {
	if !a.begun {
		if err := a.begin(); err != nil {
			return err
		}
	}
	a.state = idle
	if a.skip {
		return nil
	}
	return a.handler.Commit(&a.tx)
}

func (a *Assembler) relation(oid uint32, payload []byte) (*Relation, error) {
	if rel := a.view.lookup(oid); rel != nil {
		return rel, nil
	}
	return nil, a.violation("%s message for relation %d, which the stream has not defined", messageName(payload), oid)
}

// Describe names what a payload is about, from its beginning: the message and, for
// a row, its table. It is for errors about payloads that cannot be pushed.
func (a *Assembler) Describe(payload []byte) string {
	if len(payload) == 0 {
		return "empty message"
	}
	name, at := messageName(payload), 1
	if a.state == inStream {
		at += 4 // the transaction id
	}
	if len(payload) < at+4 || payload[0] != 'I' && payload[0] != 'U' && payload[0] != 'D' {
		return name
	}
	rel := a.view.lookup(binary.BigEndian.Uint32(payload[at:]))
	if rel == nil {
		return name
	}
	return name + " of table " + rel.Namespace + "." + rel.Name
}

// misplaced is the error for a message that may not come now.
func (a *Assembler) misplaced(payload []byte) error {
	return a.violation("%s message where none may come", messageName(payload))
}

// violation is the error for a stream that breaks its protocol. Arguments must be safe to log.
func (a *Assembler) violation(format string, args ...any) error {
	for i := range args {
		args[i] = errors.Safe(args[i])
	}
	return errors.Wrapf(errors.Newf(format, args...), "decode the stream at %s", errors.Safe(a.lsn))
}
