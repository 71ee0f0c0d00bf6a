package decoder

import "time"

// Message is one pgoutput message. A Decoder owns the messages it returns: each
// is valid until the next call of Decode, and what it holds as bytes or Tuple
// aliases the payload. XID fields of row, relation, type and logical messages are
// filled inside of a stream only, where they name the subtransaction.
type Message interface {
	// message seals the interface: the protocol defines the set.
	message()
}

// BeginMessage opens a transaction that is sent whole.
type BeginMessage struct {
	CommitLSN  LSN
	CommitTime time.Time
	XID        uint32
}

// CommitMessage closes the transaction that a BeginMessage opened.
type CommitMessage struct {
	CommitLSN  LSN
	EndLSN     LSN
	CommitTime time.Time
}

// OriginMessage names the replication origin of the transaction that has just begun.
type OriginMessage struct {
	CommitLSN LSN // where the origin committed it; zero while streaming
	Name      string
}

// RelationMessage defines a table. The Relation is new with every message and may be kept.
type RelationMessage struct {
	XID      uint32
	Relation *Relation
}

// TypeMessage names a type that is not built in. For a domain, OID is the domain
// and Name the base type.
type TypeMessage struct {
	XID       uint32
	OID       uint32
	Namespace string
	Name      string
}

// InsertMessage is one inserted row. After a row filter let an updated row in,
// New may hold Unchanged values.
type InsertMessage struct {
	XID         uint32
	RelationOID uint32
	New         Tuple
}

// UpdateMessage is one updated row.
type UpdateMessage struct {
	XID         uint32
	RelationOID uint32
	OldKind     OldKind
	Old         Tuple // nil when OldKind is OldNone
	New         Tuple
}

// DeleteMessage is one deleted row; OldKind is never OldNone.
type DeleteMessage struct {
	XID         uint32
	RelationOID uint32
	OldKind     OldKind
	Old         Tuple
}

// TruncateMessage names all tables of one TRUNCATE.
type TruncateMessage struct {
	XID             uint32
	Cascade         bool
	RestartIdentity bool
	RelationOIDs    []uint32
}

// LogicalMessage carries what pg_logical_emit_message was given. Its XID is that
// of the top-level transaction, also when a subtransaction emitted it.
type LogicalMessage struct {
	XID           uint32
	Transactional bool
	LSN           LSN
	Prefix        string
	Content       []byte
}

// StreamStartMessage opens a segment of a transaction that is still in progress.
type StreamStartMessage struct {
	XID   uint32
	First bool
}

// StreamStopMessage closes a segment.
type StreamStopMessage struct{}

// StreamCommitMessage commits a streamed transaction.
type StreamCommitMessage struct {
	XID        uint32
	CommitLSN  LSN
	EndLSN     LSN
	CommitTime time.Time
}

// StreamAbortMessage discards a streamed transaction, or one of its
// subtransactions when SubXID differs from XID.
type StreamAbortMessage struct {
	XID    uint32
	SubXID uint32
	// Located reports that the server sent AbortLSN and AbortTime, as it does under streaming 'parallel'.
	Located   bool
	AbortLSN  LSN
	AbortTime time.Time
}

// BeginPrepareMessage opens a transaction that ends in PREPARE TRANSACTION.
type BeginPrepareMessage struct {
	PrepareLSN  LSN
	EndLSN      LSN
	PrepareTime time.Time
	XID         uint32
	GID         string
}

// PrepareMessage closes the transaction that a BeginPrepareMessage opened.
type PrepareMessage struct {
	PrepareLSN  LSN
	EndLSN      LSN
	PrepareTime time.Time
	XID         uint32
	GID         string
}

// CommitPreparedMessage commits a prepared transaction.
type CommitPreparedMessage struct {
	CommitLSN  LSN
	EndLSN     LSN
	CommitTime time.Time
	XID        uint32
	GID        string
}

// RollbackPreparedMessage discards a prepared transaction. The server sends it
// also for one whose prepare it did not send.
type RollbackPreparedMessage struct {
	PrepareEndLSN  LSN
	RollbackEndLSN LSN
	PrepareTime    time.Time
	RollbackTime   time.Time
	XID            uint32
	GID            string
}

// StreamPrepareMessage prepares a streamed transaction.
type StreamPrepareMessage struct {
	PrepareLSN  LSN
	EndLSN      LSN
	PrepareTime time.Time
	XID         uint32
	GID         string
}

func (*BeginMessage) message()            {}
func (*CommitMessage) message()           {}
func (*OriginMessage) message()           {}
func (*RelationMessage) message()         {}
func (*TypeMessage) message()             {}
func (*InsertMessage) message()           {}
func (*UpdateMessage) message()           {}
func (*DeleteMessage) message()           {}
func (*TruncateMessage) message()         {}
func (*LogicalMessage) message()          {}
func (*StreamStartMessage) message()      {}
func (*StreamStopMessage) message()       {}
func (*StreamCommitMessage) message()     {}
func (*StreamAbortMessage) message()      {}
func (*BeginPrepareMessage) message()     {}
func (*PrepareMessage) message()          {}
func (*CommitPreparedMessage) message()   {}
func (*RollbackPreparedMessage) message() {}
func (*StreamPrepareMessage) message()    {}
