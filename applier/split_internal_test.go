package applier

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"testing"

	"github.com/walferry/walferry/decoder"
)

// keyBatch is a batch of one insert for each key, of one column.
func keyBatch(t *testing.T, typeOID uint32, kind decoder.ValueKind, keys [][]byte) *batch {
	t.Helper()
	r := &decoder.Relation{ReplicaIdentity: decoder.IdentityDefault, Columns: []decoder.Column{{Name: "v"}, {Name: "k", TypeOID: typeOID, Key: true}}}
	b := &batch{}
	b.begin(1)
	for _, key := range keys {
		tuple := decoder.Tuple{{Kind: decoder.Null}, {Kind: kind, Data: key}}
		if err := b.add(&decoder.Change{Op: decoder.Insert, Relation: r, New: tuple}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestSplit_TextAndBinaryGoToTheSameLane lets a run change the form of values, and
// the source the type of an integer.
func TestSplit_TextAndBinaryGoToTheSameLane(t *testing.T) {
	t.Parallel()
	const lanes, n = 8, 4000
	var texts, int4, int8 [][]byte
	for i := range n {
		v := i*7 - n
		texts = append(texts, []byte(strconv.Itoa(v)))
		int4 = append(int4, binary.BigEndian.AppendUint32(nil, uint32(int32(v)))) //nolint:gosec // as the server does
		int8 = append(int8, binary.BigEndian.AppendUint64(nil, uint64(int64(v)))) //nolint:gosec // as the server does
	}
	uuid := make([]byte, 16)
	for i := range uuid {
		uuid[i] = byte(i * 17)
	}
	lanesOf := func(typeOID uint32, kind decoder.ValueKind, keys [][]byte) []int {
		b := keyBatch(t, typeOID, kind, keys)
		s := newSplit(b.relations[0], []string{"k"})
		if s.problem != "" {
			t.Fatal(s.problem)
		}
		of := make([]int, len(keys))
		for i := range of {
			of[i] = s.lane(b, b.changes[i].new, noTuple, lanes)
		}
		return of
	}
	want := lanesOf(23, decoder.Text, texts)
	for name, got := range map[string][]int{
		"binary int4": lanesOf(23, decoder.Binary, int4), "binary int8": lanesOf(20, decoder.Binary, int8),
		"text": lanesOf(25, decoder.Text, texts), "binary varchar": lanesOf(1043, decoder.Binary, texts),
	} {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s goes to other lanes", name)
		}
	}
	written := []byte("00112233-4455-6677-8899-aabbccddeeff")
	if a, b := lanesOf(2950, decoder.Binary, [][]byte{uuid}), lanesOf(2950, decoder.Text, [][]byte{written}); a[0] != b[0] {
		t.Errorf("a uuid goes to lane %d and %d", a[0], b[0])
	}
	count := [lanes]int{}
	for _, lane := range want {
		count[lane]++
	}
	for lane, rows := range count {
		if rows < n/lanes*8/10 || rows > n/lanes*12/10 {
			t.Errorf("lane %d has %d of %d rows", lane, rows, n)
		}
	}
}

func TestSplit_RefusesOtherKeys(t *testing.T) {
	t.Parallel()
	column := func(name string, typeOID uint32, key bool) decoder.Column {
		return decoder.Column{Name: name, TypeOID: typeOID, Key: key}
	}
	for name, c := range map[string]struct {
		columns  []decoder.Column
		identity decoder.ReplicaIdentity
	}{
		"FULL":           {[]decoder.Column{column("k", 23, true)}, decoder.IdentityFull},
		"another column": {[]decoder.Column{column("k", 23, false), column("l", 23, true)}, decoder.IdentityIndex},
		"more columns":   {[]decoder.Column{column("k", 23, true), column("l", 23, true)}, decoder.IdentityDefault},
		"no column":      {[]decoder.Column{column("k", 23, false)}, decoder.IdentityDefault},
		"numeric":        {[]decoder.Column{column("k", 1700, true)}, decoder.IdentityDefault},
		"char(n)":        {[]decoder.Column{column("k", 1042, true)}, decoder.IdentityDefault},
	} {
		s := newSplit(&decoder.Relation{ReplicaIdentity: c.identity, Columns: c.columns}, []string{"k"})
		if s.problem == "" {
			t.Errorf("%s: can be split", name)
		}
	}
}
