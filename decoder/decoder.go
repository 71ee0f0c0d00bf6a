package decoder

import (
	"math"

	"github.com/cockroachdb/errors"
)

// Decoder turns pgoutput payloads into messages, of protocol versions 1 to 4. It
// owns the messages it returns and reuses them, so that decoding a row allocates
// nothing. The zero value is ready; it is for one goroutine.
type Decoder struct {
	begin            BeginMessage
	commit           CommitMessage
	origin           OriginMessage
	relation         RelationMessage
	typ              TypeMessage
	insert           InsertMessage
	update           UpdateMessage
	del              DeleteMessage
	truncate         TruncateMessage
	logical          LogicalMessage
	streamStart      StreamStartMessage
	streamStop       StreamStopMessage
	streamCommit     StreamCommitMessage
	streamAbort      StreamAbortMessage
	beginPrepare     BeginPrepareMessage
	prepare          PrepareMessage
	commitPrepared   CommitPreparedMessage
	rollbackPrepared RollbackPreparedMessage
	streamPrepare    StreamPrepareMessage

	// The arrays behind the tuples; messages hold nil where there is no tuple.
	oldTuple, newTuple Tuple
}

// Decode decodes one payload: what an XLogData message carries. inStream tells
// that it stands between StreamStartMessage and StreamStopMessage, where the
// layout of some messages differs. The result aliases payload and is valid until
// the next call. Bytes that are not exactly one message are an error that names
// the message's type and the offset.
func (d *Decoder) Decode(payload []byte, inStream bool) (Message, error) {
	r := reader{buf: payload}
	var m Message
	switch kind := r.byte(); kind {
	case 'I':
		m = d.decodeInsert(&r, inStream)
	case 'U':
		m = d.decodeUpdate(&r, inStream)
	case 'D':
		m = d.decodeDelete(&r, inStream)
	case 'B':
		d.begin = BeginMessage{CommitLSN: r.lsn(), CommitTime: r.time(), XID: r.uint32()}
		m = &d.begin
	case 'C':
		r.noFlags()
		d.commit = CommitMessage{CommitLSN: r.lsn(), EndLSN: r.lsn(), CommitTime: r.time()}
		m = &d.commit
	case 'O':
		d.origin.CommitLSN = r.lsn()
		reuse(&d.origin.Name, r.cstring())
		m = &d.origin
	case 'R':
		m = d.decodeRelation(&r, inStream)
	case 'Y':
		d.typ = TypeMessage{XID: streamXID(&r, inStream), OID: r.uint32(), Namespace: r.namespace(), Name: string(r.cstring())}
		m = &d.typ
	case 'T':
		m = d.decodeTruncate(&r, inStream)
	case 'M':
		m = d.decodeLogical(&r, inStream)
	case 'S':
		d.streamStart = StreamStartMessage{XID: r.uint32(), First: r.flag("unknown segment flag")}
		m = &d.streamStart
	case 'E':
		m = &d.streamStop
	case 'c':
		xid := r.uint32()
		r.noFlags()
		d.streamCommit = StreamCommitMessage{XID: xid, CommitLSN: r.lsn(), EndLSN: r.lsn(), CommitTime: r.time()}
		m = &d.streamCommit
	case 'A':
		d.streamAbort = StreamAbortMessage{XID: r.uint32(), SubXID: r.uint32()}
		// The server does not say whether it streams in parallel, but only then there is more.
		if r.pos < len(r.buf) {
			d.streamAbort.Located = true
			d.streamAbort.AbortLSN, d.streamAbort.AbortTime = r.lsn(), r.time()
		}
		m = &d.streamAbort
	case 'b':
		d.beginPrepare = BeginPrepareMessage{PrepareLSN: r.lsn(), EndLSN: r.lsn(), PrepareTime: r.time(), XID: r.uint32(), GID: string(r.cstring())}
		m = &d.beginPrepare
	case 'P':
		r.noFlags()
		d.prepare = PrepareMessage{PrepareLSN: r.lsn(), EndLSN: r.lsn(), PrepareTime: r.time(), XID: r.uint32(), GID: string(r.cstring())}
		m = &d.prepare
	case 'K':
		r.noFlags()
		d.commitPrepared = CommitPreparedMessage{CommitLSN: r.lsn(), EndLSN: r.lsn(), CommitTime: r.time(), XID: r.uint32(), GID: string(r.cstring())}
		m = &d.commitPrepared
	case 'r':
		r.noFlags()
		d.rollbackPrepared = RollbackPreparedMessage{
			PrepareEndLSN: r.lsn(), RollbackEndLSN: r.lsn(), PrepareTime: r.time(), RollbackTime: r.time(), XID: r.uint32(), GID: string(r.cstring()),
		}
		m = &d.rollbackPrepared
	case 'p':
		r.noFlags()
		d.streamPrepare = StreamPrepareMessage{PrepareLSN: r.lsn(), EndLSN: r.lsn(), PrepareTime: r.time(), XID: r.uint32(), GID: string(r.cstring())}
		m = &d.streamPrepare
	default:
		if len(payload) == 0 {
			return nil, errors.New("empty message")
		}
		return nil, errors.WithHint(errors.Newf("unknown message type 0x%02x of %d bytes", errors.Safe(kind), errors.Safe(len(payload))),
			"the slot's output plugin must be pgoutput with proto_version 1 to 4")
	}
	if r.fault == "" && r.pos != len(payload) {
		r.fail("the message should end here")
	}
	if r.fault != "" {
		return nil, errors.Newf("%s message, byte %d of %d: %s",
			errors.Safe(messageName(payload)), errors.Safe(r.pos), errors.Safe(len(payload)), errors.Safe(r.fault))
	}
	return m, nil
}

func (d *Decoder) decodeInsert(r *reader, inStream bool) Message {
	m := &d.insert
	m.XID, m.RelationOID = streamXID(r, inStream), r.uint32()
	if r.byte() != 'N' {
		r.fail("no new tuple")
		return m
	}
	d.newTuple = r.tuple(d.newTuple)
	m.New = d.newTuple
	return m
}

func (d *Decoder) decodeUpdate(r *reader, inStream bool) Message {
	m := &d.update
	m.XID, m.RelationOID = streamXID(r, inStream), r.uint32()
	m.OldKind, m.Old = OldNone, nil
	kind := r.byte()
	if kind == 'K' || kind == 'O' {
		d.oldTuple = r.tuple(d.oldTuple)
		m.OldKind, m.Old = OldKind(kind), d.oldTuple
		kind = r.byte()
	}
	if kind != 'N' {
		r.fail("no new tuple")
		return m
	}
	d.newTuple = r.tuple(d.newTuple)
	m.New = d.newTuple
	return m
}

func (d *Decoder) decodeDelete(r *reader, inStream bool) Message {
	m := &d.del
	m.XID, m.RelationOID = streamXID(r, inStream), r.uint32()
	m.OldKind = OldKind(r.byte())
	if m.OldKind != OldKey && m.OldKind != OldFull {
		r.fail("no old tuple")
		return m
	}
	d.oldTuple = r.tuple(d.oldTuple)
	m.Old = d.oldTuple
	return m
}

// columnBytes is what the smallest column of a relation message takes.
const columnBytes = 1 + 1 + 4 + 4

func (d *Decoder) decodeRelation(r *reader, inStream bool) Message {
	d.relation.XID = streamXID(r, inStream)
	rel := &Relation{OID: r.uint32(), Namespace: r.namespace(), Name: string(r.cstring()), ReplicaIdentity: ReplicaIdentity(r.byte())}
	d.relation.Relation = rel
	switch rel.ReplicaIdentity {
	case IdentityDefault, IdentityNothing, IdentityFull, IdentityIndex:
	default:
		r.fail("unknown replica identity")
	}
	n := int(r.uint16())
	if n > (len(r.buf)-r.pos)/columnBytes {
		r.fail("the relation has more columns than bytes")
		return &d.relation
	}
	rel.Columns = make([]Column, n)
	for i := range rel.Columns {
		rel.Columns[i] = Column{
			Key: r.flag("unknown column flags"), Name: string(r.cstring()), TypeOID: r.uint32(), TypeModifier: int32(r.uint32()),
		}
	}
	return &d.relation
}

// The flags of a truncate message.
const (
	truncateCascade         = 1
	truncateRestartIdentity = 2
)

func (d *Decoder) decodeTruncate(r *reader, inStream bool) Message {
	m := &d.truncate
	m.XID = streamXID(r, inStream)
	n := r.uint32()
	flags := r.byte()
	if flags&^(truncateCascade|truncateRestartIdentity) != 0 {
		r.fail("unknown flags")
		return m
	}
	m.Cascade, m.RestartIdentity = flags&truncateCascade != 0, flags&truncateRestartIdentity != 0
	m.RelationOIDs = m.RelationOIDs[:0]
	if uint64(n)*4 > uint64(len(r.buf)-r.pos) {
		r.fail("the message ends inside of the list of relations")
		return m
	}
	for range n {
		m.RelationOIDs = append(m.RelationOIDs, r.uint32())
	}
	return m
}

func (d *Decoder) decodeLogical(r *reader, inStream bool) Message {
	m := &d.logical
	m.XID, m.Transactional, m.LSN = streamXID(r, inStream), r.flag("unknown flags"), r.lsn()
	reuse(&m.Prefix, r.cstring())
	n := r.uint32()
	if n > math.MaxInt32 {
		r.fail("the content is longer than the message")
		return m
	}
	m.Content = r.take(int(n))
	return m
}

// streamXID reads the subtransaction's xid that messages inside of a stream have.
func streamXID(r *reader, inStream bool) uint32 {
	if !inStream {
		return 0
	}
	return r.uint32()
}

// reuse sets dst to b and allocates only when they differ: neighbouring
// transactions have the same origin, neighbouring messages the same prefix.
func reuse(dst *string, b []byte) {
	if *dst != string(b) {
		*dst = string(b)
	}
}

var messageNames = [256]string{
	'B': "begin", 'C': "commit", 'O': "origin", 'R': "relation", 'Y': "type", 'I': "insert", 'U': "update",
	'D': "delete", 'T': "truncate", 'M': "logical", 'S': "stream start", 'E': "stream stop", 'c': "stream commit",
	'A': "stream abort", 'b': "begin prepare", 'P': "prepare", 'K': "commit prepared", 'r': "rollback prepared",
	'p': "stream prepare",
}

// messageName names a payload's type for errors.
func messageName(payload []byte) string { return messageNames[payload[0]] }
