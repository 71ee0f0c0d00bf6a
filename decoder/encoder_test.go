package decoder_test

import (
	"encoding/binary"
	"time"

	"github.com/walferry/walferry/decoder"
)

// encode renders a message as the server does: the decoder's inverse.
func encode(m decoder.Message, inStream bool) []byte {
	e := encoder{inStream: inStream}
	switch m := m.(type) {
	case *decoder.BeginMessage:
		e.byte('B').lsn(m.CommitLSN).time(m.CommitTime).uint32(m.XID)
	case *decoder.CommitMessage:
		e.byte('C').byte(0).lsn(m.CommitLSN).lsn(m.EndLSN).time(m.CommitTime)
	case *decoder.OriginMessage:
		e.byte('O').lsn(m.CommitLSN).string(m.Name)
	case *decoder.RelationMessage:
		e.byte('R').xid(m.XID).relation(m.Relation)
	case *decoder.TypeMessage:
		e.byte('Y').xid(m.XID).uint32(m.OID).namespace(m.Namespace).string(m.Name)
	case *decoder.InsertMessage:
		e.byte('I').xid(m.XID).uint32(m.RelationOID).byte('N').tuple(m.New)
	case *decoder.UpdateMessage:
		e.byte('U').xid(m.XID).uint32(m.RelationOID)
		if m.OldKind != decoder.OldNone {
			e.byte(byte(m.OldKind)).tuple(m.Old)
		}
		e.byte('N').tuple(m.New)
	case *decoder.DeleteMessage:
		e.byte('D').xid(m.XID).uint32(m.RelationOID).byte(byte(m.OldKind)).tuple(m.Old)
	case *decoder.TruncateMessage:
		var flags byte
		if m.Cascade {
			flags |= 1
		}
		if m.RestartIdentity {
			flags |= 2
		}
		e.byte('T').xid(m.XID).uint32(uint32(len(m.RelationOIDs))).byte(flags)
		for _, oid := range m.RelationOIDs {
			e.uint32(oid)
		}
	case *decoder.LogicalMessage:
		e.byte('M').xid(m.XID).bool(m.Transactional).lsn(m.LSN).string(m.Prefix).uint32(uint32(len(m.Content)))
		e.buf = append(e.buf, m.Content...)
	case *decoder.StreamStartMessage:
		e.byte('S').uint32(m.XID).bool(m.First)
	case *decoder.StreamStopMessage:
		e.byte('E')
	case *decoder.StreamCommitMessage:
		e.byte('c').uint32(m.XID).byte(0).lsn(m.CommitLSN).lsn(m.EndLSN).time(m.CommitTime)
	case *decoder.StreamAbortMessage:
		e.byte('A').uint32(m.XID).uint32(m.SubXID)
		if m.Located {
			e.lsn(m.AbortLSN).time(m.AbortTime)
		}
	case *decoder.BeginPrepareMessage:
		e.byte('b').lsn(m.PrepareLSN).lsn(m.EndLSN).time(m.PrepareTime).uint32(m.XID).string(m.GID)
	case *decoder.PrepareMessage:
		e.byte('P').byte(0).lsn(m.PrepareLSN).lsn(m.EndLSN).time(m.PrepareTime).uint32(m.XID).string(m.GID)
	case *decoder.CommitPreparedMessage:
		e.byte('K').byte(0).lsn(m.CommitLSN).lsn(m.EndLSN).time(m.CommitTime).uint32(m.XID).string(m.GID)
	case *decoder.RollbackPreparedMessage:
		e.byte('r').byte(0).lsn(m.PrepareEndLSN).lsn(m.RollbackEndLSN).time(m.PrepareTime).time(m.RollbackTime).uint32(m.XID).string(m.GID)
	case *decoder.StreamPrepareMessage:
		e.byte('p').byte(0).lsn(m.PrepareLSN).lsn(m.EndLSN).time(m.PrepareTime).uint32(m.XID).string(m.GID)
	}
	return e.buf
}

type encoder struct {
	buf      []byte
	inStream bool
}

func (e *encoder) byte(b byte) *encoder { e.buf = append(e.buf, b); return e }
func (e *encoder) uint32(v uint32) *encoder {
	e.buf = binary.BigEndian.AppendUint32(e.buf, v)
	return e
}

func (e *encoder) uint64(v uint64) *encoder {
	e.buf = binary.BigEndian.AppendUint64(e.buf, v)
	return e
}
func (e *encoder) lsn(v decoder.LSN) *encoder { return e.uint64(uint64(v)) }
func (e *encoder) string(s string) *encoder   { e.buf = append(append(e.buf, s...), 0); return e }

func (e *encoder) bool(b bool) *encoder {
	if b {
		return e.byte(1)
	}
	return e.byte(0)
}

func (e *encoder) xid(v uint32) *encoder {
	if e.inStream {
		e.uint32(v)
	}
	return e
}

// time encodes microseconds since 2000-01-01.
func (e *encoder) time(t time.Time) *encoder {
	return e.uint64(uint64(t.UnixMicro() - time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()))
}

func (e *encoder) namespace(s string) *encoder {
	if s == "pg_catalog" {
		s = ""
	}
	return e.string(s)
}

func (e *encoder) relation(r *decoder.Relation) {
	e.uint32(r.OID).namespace(r.Namespace).string(r.Name).byte(byte(r.ReplicaIdentity))
	e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(len(r.Columns)))
	for _, c := range r.Columns {
		e.bool(c.Key).string(c.Name).uint32(c.TypeOID).uint32(uint32(c.TypeModifier))
	}
}

func (e *encoder) tuple(t decoder.Tuple) {
	e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(len(t)))
	for _, v := range t {
		e.byte(byte(v.Kind))
		if v.Kind == decoder.Text || v.Kind == decoder.Binary {
			e.uint32(uint32(len(v.Data)))
			e.buf = append(e.buf, v.Data...)
		}
	}
}
