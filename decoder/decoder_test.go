package decoder_test

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/walferry/walferry/decoder"
)

// Property: every message survives encoding and decoding, in and out of a stream,
// and every shortened or lengthened form of it is an error.
func TestDecoder_RoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inStream := rapid.Bool().Draw(t, "inStream")
		want := drawMessage(t, inStream)
		payload := encode(want, inStream)

		var d decoder.Decoder
		got, err := d.Decode(payload, inStream)
		if err != nil {
			t.Fatalf("decode %#v: %v", want, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("decoded %#v, want %#v", got, want)
		}
		cut := rapid.IntRange(0, len(payload)-1).Draw(t, "cut")
		_, isAbort := want.(*decoder.StreamAbortMessage)
		if _, err := d.Decode(payload[:cut], inStream); err == nil && (!isAbort || cut != 9) {
			t.Fatalf("%d of %d bytes are accepted", cut, len(payload))
		}
		if _, err := d.Decode(append(payload, 0), inStream); err == nil {
			t.Fatal("a byte too many is accepted")
		}
	})
}

func drawMessage(t *rapid.T, inStream bool) decoder.Message {
	u32 := func(name string) uint32 { return rapid.Uint32().Draw(t, name) }
	lsn := func(name string) decoder.LSN { return decoder.LSN(rapid.Uint64().Draw(t, name)) }
	str := func(name string) string { return rapid.StringMatching(`[a-zé ."']{0,12}`).Draw(t, name) }
	when := func() time.Time {
		return time.UnixMicro(rapid.Int64Range(-1e15, 4e15).Draw(t, "time")).UTC()
	}
	tuple := func(name string) decoder.Tuple {
		return drawTuple(t, name)
	}
	xid := uint32(0)
	if inStream {
		xid = u32("xid")
	}
	old := rapid.SampledFrom([]decoder.OldKind{decoder.OldKey, decoder.OldFull})
	switch rapid.SampledFrom([]byte("BCORYIUDTMSEcAbPKrp")).Draw(t, "type") {
	case 'B':
		return &decoder.BeginMessage{CommitLSN: lsn("commit"), CommitTime: when(), XID: u32("xid")}
	case 'C':
		return &decoder.CommitMessage{CommitLSN: lsn("commit"), EndLSN: lsn("end"), CommitTime: when()}
	case 'O':
		return &decoder.OriginMessage{CommitLSN: lsn("commit"), Name: str("name")}
	case 'R':
		return &decoder.RelationMessage{XID: xid, Relation: drawRelation(t, u32("oid"))}
	case 'Y':
		return &decoder.TypeMessage{XID: xid, OID: u32("oid"), Namespace: str("namespace") + "_", Name: str("name")}
	case 'I':
		return &decoder.InsertMessage{XID: xid, RelationOID: u32("relation"), New: tuple("new")}
	case 'U':
		m := &decoder.UpdateMessage{XID: xid, RelationOID: u32("relation"), New: tuple("new")}
		if rapid.Bool().Draw(t, "old") {
			m.OldKind, m.Old = old.Draw(t, "kind"), tuple("old")
		}
		return m
	case 'D':
		return &decoder.DeleteMessage{XID: xid, RelationOID: u32("relation"), OldKind: old.Draw(t, "kind"), Old: tuple("old")}
	case 'T':
		return &decoder.TruncateMessage{
			XID: xid, Cascade: rapid.Bool().Draw(t, "cascade"), RestartIdentity: rapid.Bool().Draw(t, "restart"),
			RelationOIDs: rapid.SliceOfN(rapid.Uint32(), 1, 5).Draw(t, "relations"),
		}
	case 'M':
		return &decoder.LogicalMessage{
			XID: xid, Transactional: rapid.Bool().Draw(t, "transactional"), LSN: lsn("lsn"), Prefix: str("prefix"),
			Content: append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "content")...),
		}
	case 'S':
		return &decoder.StreamStartMessage{XID: u32("xid"), First: rapid.Bool().Draw(t, "first")}
	case 'E':
		return &decoder.StreamStopMessage{}
	case 'c':
		return &decoder.StreamCommitMessage{XID: u32("xid"), CommitLSN: lsn("commit"), EndLSN: lsn("end"), CommitTime: when()}
	case 'A':
		m := &decoder.StreamAbortMessage{XID: u32("xid"), SubXID: u32("sub"), Located: rapid.Bool().Draw(t, "located")}
		if m.Located {
			m.AbortLSN, m.AbortTime = lsn("lsn"), when()
		}
		return m
	case 'b':
		return &decoder.BeginPrepareMessage{PrepareLSN: lsn("prepare"), EndLSN: lsn("end"), PrepareTime: when(), XID: u32("xid"), GID: str("gid")}
	case 'P':
		return &decoder.PrepareMessage{PrepareLSN: lsn("prepare"), EndLSN: lsn("end"), PrepareTime: when(), XID: u32("xid"), GID: str("gid")}
	case 'K':
		return &decoder.CommitPreparedMessage{CommitLSN: lsn("commit"), EndLSN: lsn("end"), CommitTime: when(), XID: u32("xid"), GID: str("gid")}
	case 'r':
		return &decoder.RollbackPreparedMessage{
			PrepareEndLSN: lsn("prepare end"), RollbackEndLSN: lsn("rollback end"), PrepareTime: when(), RollbackTime: when(),
			XID: u32("xid"), GID: str("gid"),
		}
	default:
		return &decoder.StreamPrepareMessage{PrepareLSN: lsn("prepare"), EndLSN: lsn("end"), PrepareTime: when(), XID: u32("xid"), GID: str("gid")}
	}
}

func drawRelation(t *rapid.T, oid uint32) *decoder.Relation {
	rel := &decoder.Relation{
		OID: oid, Namespace: rapid.SampledFrom([]string{"public", "pg_catalog", "Ä"}).Draw(t, "namespace"),
		Name:            rapid.SampledFrom([]string{"t", "orders", `q"`}).Draw(t, "name"),
		ReplicaIdentity: decoder.ReplicaIdentity(rapid.SampledFrom([]byte("dnfi")).Draw(t, "identity")),
		Columns:         []decoder.Column{},
	}
	for range rapid.IntRange(0, 4).Draw(t, "columns") {
		rel.Columns = append(rel.Columns, decoder.Column{
			Name: rapid.SampledFrom([]string{"id", "a", "b c"}).Draw(t, "column"), TypeOID: rapid.Uint32().Draw(t, "type"),
			TypeModifier: rapid.Int32().Draw(t, "modifier"), Key: rapid.Bool().Draw(t, "key"),
		})
	}
	return rel
}

func drawTuple(t *rapid.T, name string) decoder.Tuple {
	tuple := decoder.Tuple{}
	for range rapid.IntRange(0, 5).Draw(t, name) {
		v := decoder.Value{Kind: decoder.ValueKind(rapid.SampledFrom([]byte("nutb")).Draw(t, "kind"))}
		if v.Kind == decoder.Text || v.Kind == decoder.Binary {
			v.Data = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data")...)
		}
		tuple = append(tuple, v)
	}
	return tuple
}

func TestDecoder_ErrorsNameMessageAndOffset(t *testing.T) {
	insert := string(encode(&decoder.InsertMessage{RelationOID: 7, New: decoder.Tuple{{Kind: decoder.Text, Data: []byte("abc")}}}, false))
	for name, c := range map[string]struct{ payload, want string }{
		"nothing":                    {"", "empty message"},
		"an unknown type":            {"?abc", "unknown message type 0x3f of 4 bytes"},
		"a cut header":               {insert[:3], "insert message, byte 1 of 3: the message ends inside of a field"},
		"a cut value":                {insert[:len(insert)-1], "insert message, byte 8 of 15: a column is longer than the message"},
		"a byte too many":            {insert + "x", "insert message, byte 16 of 17: the message should end here"},
		"a tuple kind of no meaning": {strings.Replace(insert, "N", "X", 1), "insert message, byte 6 of 16: no new tuple"},
		"a value kind of no meaning": {strings.Replace(insert, "t", "x", 1), "insert message, byte 8 of 16: unknown kind of column value"},
		"a negative length":          {"I\x00\x00\x00\x07N\x00\x01t\xff\xff\xff\xff", "insert message, byte 8 of 13: a column is longer than the message"},
		"65535 columns":              {"I\x00\x00\x00\x07N\xff\xff", "insert message, byte 8 of 8: the tuple has more columns than bytes"},
		"4 billion relations":        {"T\xff\xff\xff\xff\x00", "truncate message, byte 6 of 6: the message ends inside of the list of relations"},
		"65535 relation columns":     {"R\x00\x00\x00\x07\x00t\x00d\xff\xff", "relation message, byte 11 of 11: the relation has more columns than bytes"},
		"a string without end":       {"O\x00\x00\x00\x00\x00\x00\x00\x00abc", "origin message, byte 9 of 12: a string has no end"},
		"a replica identity unknown": {"R\x00\x00\x00\x07\x00t\x00?\x00\x00", "relation message, byte 9 of 11: unknown replica identity"},
		"flags of no meaning":        {"C\x01", "commit message, byte 1 of 2: unknown flags"},
		"content beyond the end":     {"M\x00\x00\x00\x00\x00\x00\x00\x00\x00p\x00\xff\xff\xff\xff", "logical message, byte 16 of 16: the content is longer than the message"},
	} {
		t.Run(name, func(t *testing.T) {
			var d decoder.Decoder
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := d.Decode([]byte(c.payload), false)
			if err == nil || err.Error() != c.want {
				t.Fatalf("got error %v, want %s", err, c.want)
			}
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 256<<10 {
				t.Fatalf("%d bytes were allocated for a message of %d", allocated, len(c.payload))
			}
		})
	}
}
