// Package decoder turns the bytes of a PostgreSQL logical replication slot into
// whole transactions. It reads what pgoutput sends in protocol versions 1 to 4,
// from servers 13 to 18.
//
// Two layers are meant for use:
//
//   - An [Assembler] takes payloads by Push and calls a [Handler] with Begin, every
//     Change, and Commit, in commit order. It hides how the server sent the
//     transaction: whole, in segments while it ran, or prepared.
//   - A [Decoder] turns one payload into one [Message] and knows nothing of the
//     others.
//
// [PluginOptions] gives the options of START_REPLICATION that both understand.
//
// The one rule: what a Message, Change or Tuple refers to belongs to the payload
// and to the decoder. It is valid during the call, or until the next one; copy what
// has to live longer. Relations are the exception: they are immutable and may be
// kept, and equal pointers mean equal definitions. In return a row costs no
// allocation, however many columns it has.
//
// Memory is bounded. A transaction that is sent whole is never held. One that is
// sent before its outcome is known is kept, first in memory, then in a file; see
// [AssemblerOptions].
//
// After an error the stream is over: the position to resume from is the EndLSN of
// the last transaction whose Commit was made durable, or [Assembler.Pending] if
// that is lower. The server sends everything after it again.
//
// The package neither connects nor acknowledges, converts no values (the type OIDs
// of a Relation and the [ValueKind] say what the bytes are), starts no goroutine,
// and does not log.
package decoder
