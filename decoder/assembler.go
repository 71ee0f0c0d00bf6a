package decoder

import (
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
}

// Assembler joins the messages of one replication connection to transactions and
// hands them to a Handler in commit order. A transaction that the server sends
// whole is handed over change by change as it arrives and is never held.
//
// It belongs to one connection: the server sends definitions of relations once
// per connection, so a reconnect needs a new Assembler. All methods are for one
// goroutine.
type Assembler struct {
	handler   Handler
	decoder   Decoder
	relations relations
	arrivals  uint64

	lsn LSN   // of the newest message that had one, for errors
	err error // ends the stream

	state state
	begun bool // the handler knows of the open transaction

	// Handed over by reference and reused.
	tx        Transaction
	change    Change
	truncated []*Relation
}

// state is where in the stream the next message stands.
type state byte

const (
	idle          state = iota
	inTransaction       // between begin and commit
)

// NewAssembler returns an Assembler for a fresh connection. Close releases what it holds.
func NewAssembler(o AssemblerOptions, h Handler) *Assembler {
	return &Assembler{handler: h}
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
	m, err := a.decoder.Decode(payload, false)
	if err != nil {
		a.err = errors.Wrapf(err, "decode the stream at %s", errors.Safe(a.lsn))
		return a.err
	}
	a.err = a.accept(m, payload)
	return a.err
}

// Close releases what the Assembler holds. Transactions that were not committed
// are dropped; the server sends them again. It may be called more than once.
func (a *Assembler) Close() error {
	if a.err == nil {
		a.err = errors.New("the assembler is closed")
	}
	return nil
}

func (a *Assembler) accept(m Message, payload []byte) error {
	switch m := m.(type) {
	case *InsertMessage:
		a.change = Change{Op: Insert, New: m.New}
		return a.row(m.RelationOID, payload)
	case *UpdateMessage:
		a.change = Change{Op: Update, OldKind: m.OldKind, Old: m.Old, New: m.New}
		return a.row(m.RelationOID, payload)
	case *DeleteMessage:
		a.change = Change{Op: Delete, OldKind: m.OldKind, Old: m.Old}
		return a.row(m.RelationOID, payload)
	case *TruncateMessage:
		return a.truncate(m, payload)
	case *BeginMessage:
		if a.state != idle {
			return a.misplaced(payload)
		}
		a.state, a.begun = inTransaction, false
		a.tx = Transaction{XID: m.XID, CommitLSN: m.CommitLSN, CommitTime: m.CommitTime}
		return nil
	case *OriginMessage:
		if a.state != inTransaction || a.begun {
			return a.misplaced(payload)
		}
		a.tx.Origin = m.Name
		return nil
	case *CommitMessage:
		return a.commit(m, payload)
	case *RelationMessage:
		a.arrivals++
		a.relations.define(definition{relation: m.Relation, raw: slices.Clone(payload[1:]), arrival: a.arrivals})
		return nil
	case *TypeMessage:
		return nil
	case *LogicalMessage:
		return a.logical(m, payload)
	default:
		return a.misplaced(payload)
	}
}

// row completes a.change with its relation and hands it over.
func (a *Assembler) row(oid uint32, payload []byte) error {
	if a.state != inTransaction {
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
	a.change.Relation = rel
	if err := a.ensureBegun(); err != nil {
		return err
	}
	return a.handler.Change(&a.change)
}

func (a *Assembler) truncate(m *TruncateMessage, payload []byte) error {
	if a.state != inTransaction {
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
	if err := a.ensureBegun(); err != nil {
		return err
	}
	a.change = Change{Op: Truncate, Truncated: a.truncated, Cascade: m.Cascade, RestartIdentity: m.RestartIdentity}
	return a.handler.Change(&a.change)
}

func (a *Assembler) logical(m *LogicalMessage, payload []byte) error {
	if m.Transactional {
		if a.state != inTransaction {
			return a.misplaced(payload)
		}
		if err := a.ensureBegun(); err != nil {
			return err
		}
	}
	return a.handler.Message(m.Transactional, m.LSN, m.Prefix, m.Content)
}

func (a *Assembler) commit(m *CommitMessage, payload []byte) error {
	if a.state != inTransaction {
		return a.misplaced(payload)
	}
	if m.CommitLSN != a.tx.CommitLSN {
		return a.violation("transaction %d commits at %s, its begin said %s", a.tx.XID, m.CommitLSN, a.tx.CommitLSN)
	}
	if err := a.ensureBegun(); err != nil {
		return err
	}
	a.state = idle
	a.tx.EndLSN = m.EndLSN
	return a.handler.Commit(&a.tx)
}

// ensureBegun tells the handler of the open transaction, which it does not hear of
// before the origin is known.
func (a *Assembler) ensureBegun() error {
	if a.begun {
		return nil
	}
	a.begun = true
	return a.handler.Begin(&a.tx)
}

func (a *Assembler) relation(oid uint32, payload []byte) (*Relation, error) {
	if rel := a.relations.lookup(oid); rel != nil {
		return rel, nil
	}
	return nil, a.violation("%s message for relation %d, which the stream has not defined", messageName(payload), oid)
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
