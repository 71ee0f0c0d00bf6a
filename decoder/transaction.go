package decoder

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// LSN is a position in the source's write-ahead log.
type LSN = pglogrepl.LSN

// Op is the kind of a change.
type Op byte

// The operations, as the message types name them.
const (
	Insert   Op = 'I'
	Update   Op = 'U'
	Delete   Op = 'D'
	Truncate Op = 'T'
)

// OldKind says what a change's old tuple holds.
type OldKind byte

const (
	// OldNone means that no old tuple was sent: the key did not change.
	OldNone OldKind = 0
	// OldKey means that only columns of the replica identity are filled; all others are Null and mean nothing.
	OldKey OldKind = 'K'
	// OldFull means that the whole old row was sent (REPLICA IDENTITY FULL).
	OldFull OldKind = 'O'
)

// Change is one operation of a transaction. It and all that it refers to, but
// for Relations, is valid only during the call that hands it over.
type Change struct {
	Op       Op
	Relation *Relation // nil for Truncate
	OldKind  OldKind
	Old      Tuple // nil when OldKind is OldNone
	New      Tuple // nil for Delete and Truncate

	// Of a Truncate: all tables of the statement and its options.
	Truncated       []*Relation
	Cascade         bool
	RestartIdentity bool
}

// Transaction identifies a committed source transaction.
type Transaction struct {
	XID uint32
	// CommitLSN is where the commit record begins. A snapshot with consistent
	// point C holds exactly the transactions with CommitLSN < C.
	CommitLSN LSN
	// EndLSN is where the commit record ends and a restart resumes. Zero in Begin
	// of a transaction that is received while it is handed over.
	EndLSN     LSN
	CommitTime time.Time
	// Origin names the replication origin that the source replayed this transaction from, if any.
	Origin string
}

// Handler receives whole transactions in commit order: Begin, its changes in
// source order, Commit. All calls come from the goroutine that calls Push; an
// error ends the stream. A Transaction is valid only during the call.
type Handler interface {
	Begin(tx *Transaction) error
	Change(c *Change) error
	Commit(tx *Transaction) error
	// Message hands over pg_logical_emit_message content; lsn is the message's
	// own. Transactional messages come between Begin and Commit.
	Message(transactional bool, lsn LSN, prefix string, content []byte) error
}
