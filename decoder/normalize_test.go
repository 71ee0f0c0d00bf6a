package decoder_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/walferry/walferry/decoder"
)

// recorded is one message of a stream.
type recorded struct {
	walStart decoder.LSN
	payload  []byte
}

// normalizer gives what varies from one recording to the next stable values:
// transaction ids and OIDs by order of appearance, positions and times by rank. It
// works on decoded messages; that encoding gives the server's own bytes back is
// checked on the way.
type normalizer struct {
	xids, oids map[uint32]uint32
	starts     []decoder.LSN
	times      []time.Time
}

func normalize(t *testing.T, stream []recorded) []recorded {
	t.Helper()
	n := &normalizer{xids: make(map[uint32]uint32), oids: make(map[uint32]uint32)}
	walk(t, stream, func(r recorded, m decoder.Message, inStream bool) {
		if !bytes.Equal(encode(m, inStream), r.payload) {
			t.Fatalf("%x decodes to %#v, which is encoded as %x", r.payload, m, encode(m, inStream))
		}
		v := varying(m)
		if !v.endsAt(r.walStart) {
			n.starts = append(n.starts, r.walStart)
		}
		for _, p := range v.starts {
			n.starts = append(n.starts, *p)
		}
		for _, p := range v.times {
			n.times = append(n.times, *p)
		}
	})
	slices.Sort(n.starts)
	n.starts = slices.Compact(n.starts)
	slices.SortFunc(n.times, time.Time.Compare)
	n.times = slices.CompactFunc(n.times, time.Time.Equal)

	var stable []recorded
	walk(t, stream, func(r recorded, m decoder.Message, inStream bool) {
		v := varying(m)
		walStart := n.start(r.walStart)
		if v.endsAt(r.walStart) {
			walStart = n.end(r.walStart)
		}
		for _, p := range v.starts {
			*p = n.start(*p)
		}
		for _, p := range v.ends {
			*p = n.end(*p)
		}
		for _, p := range v.times {
			i, _ := slices.BinarySearchFunc(n.times, *p, time.Time.Compare)
			*p = time.Date(2025, 1, 1, 0, 0, i, 0, time.UTC)
		}
		for _, p := range v.xids {
			*p = number(n.xids, *p, 700)
		}
		for _, p := range v.oids {
			if *p >= 16384 {
				*p = number(n.oids, *p, 16384)
			}
		}
		stable = append(stable, recorded{walStart, encode(m, inStream)})
	})
	return stable
}

func (n *normalizer) start(lsn decoder.LSN) decoder.LSN {
	if lsn == 0 {
		return 0
	}
	i, _ := slices.BinarySearch(n.starts, lsn)
	return decoder.LSN(0x1000000 + 0x100*i)
}

// end puts the end of a record right behind its start: whether the next record
// begins there depends on what else the server logs.
func (n *normalizer) end(lsn decoder.LSN) decoder.LSN {
	i, _ := slices.BinarySearch(n.starts, lsn)
	return decoder.LSN(0x1000000 + 0x100*(i-1) + 0x80)
}

// number replaces a value by the count of those seen before.
func number(seen map[uint32]uint32, v, first uint32) uint32 {
	if v == 0 {
		return 0
	}
	if _, ok := seen[v]; !ok {
		seen[v] = first + uint32(len(seen))
	}
	return seen[v]
}

func walk(tb testing.TB, stream []recorded, f func(r recorded, m decoder.Message, inStream bool)) {
	tb.Helper()
	var d decoder.Decoder
	inStream := false
	for _, r := range stream {
		m, err := d.Decode(r.payload, inStream)
		if err != nil {
			tb.Fatalf("decode %x: %v", r.payload, err)
		}
		f(r, m, inStream)
		switch r.payload[0] {
		case 'S':
			inStream = true
		case 'E':
			inStream = false
		}
	}
}

// variable are the fields of a message that differ between recordings.
type variable struct {
	starts, ends []*decoder.LSN
	times        []*time.Time
	xids, oids   []*uint32
}

// endsAt tells that a message's position is the end that it reports.
func (v *variable) endsAt(lsn decoder.LSN) bool {
	return slices.ContainsFunc(v.ends, func(p *decoder.LSN) bool { return *p == lsn })
}

func varying(m decoder.Message) variable {
	var v variable
	switch m := m.(type) {
	case *decoder.BeginMessage:
		v.starts, v.times, v.xids = list(&m.CommitLSN), list(&m.CommitTime), list(&m.XID)
	case *decoder.CommitMessage:
		v.starts, v.ends, v.times = list(&m.CommitLSN), list(&m.EndLSN), list(&m.CommitTime)
	case *decoder.RelationMessage:
		v.xids, v.oids = list(&m.XID), list(&m.Relation.OID)
		for i := range m.Relation.Columns {
			v.oids = append(v.oids, &m.Relation.Columns[i].TypeOID)
		}
	case *decoder.TypeMessage:
		v.xids, v.oids = list(&m.XID), list(&m.OID)
	case *decoder.InsertMessage:
		v.xids, v.oids = list(&m.XID), list(&m.RelationOID)
	case *decoder.UpdateMessage:
		v.xids, v.oids = list(&m.XID), list(&m.RelationOID)
	case *decoder.DeleteMessage:
		v.xids, v.oids = list(&m.XID), list(&m.RelationOID)
	case *decoder.TruncateMessage:
		v.xids = list(&m.XID)
		for i := range m.RelationOIDs {
			v.oids = append(v.oids, &m.RelationOIDs[i])
		}
	case *decoder.LogicalMessage:
		v.starts, v.xids = list(&m.LSN), list(&m.XID)
	case *decoder.StreamStartMessage:
		v.xids = list(&m.XID)
	case *decoder.StreamCommitMessage:
		v.starts, v.ends, v.times, v.xids = list(&m.CommitLSN), list(&m.EndLSN), list(&m.CommitTime), list(&m.XID)
	case *decoder.StreamAbortMessage:
		v.xids = list(&m.XID, &m.SubXID)
		if m.Located {
			v.starts, v.times = list(&m.AbortLSN), list(&m.AbortTime)
		}
	case *decoder.BeginPrepareMessage:
		v.starts, v.ends, v.times, v.xids = list(&m.PrepareLSN), list(&m.EndLSN), list(&m.PrepareTime), list(&m.XID)
	case *decoder.PrepareMessage:
		v.starts, v.ends, v.times, v.xids = list(&m.PrepareLSN), list(&m.EndLSN), list(&m.PrepareTime), list(&m.XID)
	case *decoder.CommitPreparedMessage:
		v.starts, v.ends, v.times, v.xids = list(&m.CommitLSN), list(&m.EndLSN), list(&m.CommitTime), list(&m.XID)
	case *decoder.RollbackPreparedMessage:
		v.ends, v.times, v.xids = list(&m.PrepareEndLSN, &m.RollbackEndLSN), list(&m.PrepareTime, &m.RollbackTime), list(&m.XID)
	case *decoder.StreamPrepareMessage:
		v.starts, v.ends, v.times, v.xids = list(&m.PrepareLSN), list(&m.EndLSN), list(&m.PrepareTime), list(&m.XID)
	} // an origin's LSN is the one that the case set
	return v
}

func list[T any](pointers ...*T) []*T { return pointers }
