package decoder_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/walferry/walferry/decoder"
)

// model is a server in small: transactions with nested subtransactions run side by
// side, some are sent whole, some streamed, some prepared. It emits messages as the
// server would and keeps what a consumer must see.
type model struct {
	t       *testing.T
	rand    *rand.Rand
	a       *decoder.Assembler
	clock   uint64
	nextXID uint32
	nextRow int
	// The definitions that the connection knows, as the server tracks them.
	sent     map[uint32]int
	version  map[uint32]int // of each table now
	open     []*modelTransaction
	prepared []*modelTransaction
	aborted  map[uint32]bool // subtransactions
	want     strings.Builder
}

type modelTransaction struct {
	xid      uint32
	streamed bool
	started  bool           // a segment was sent
	sent     map[uint32]int // definitions sent within the stream
	unsent   []*modelChange // not streamed yet
	changes  []*modelChange
	levels   []*modelLevel
	gid      string
}

// modelLevel is an open subtransaction.
type modelLevel struct {
	xid      uint32 // zero until it writes
	released []uint32
}

type modelChange struct {
	xid     uint32
	oid     uint32
	row     int
	version int // of the table when the server sent it
}

func (m *model) lsn() decoder.LSN { m.clock += 16; return decoder.LSN(m.clock) }

func (m *model) push(msg decoder.Message, inStream bool) {
	if err := m.a.Push(0, encode(msg, inStream)); err != nil {
		m.t.Fatalf("push %#v: %v", msg, err)
	}
}

func (m *model) xid() uint32 { m.nextXID++; return m.nextXID }

func modelRelation(oid uint32, version int) *decoder.Relation {
	rel := &decoder.Relation{OID: oid, Namespace: "public", Name: fmt.Sprintf("t%d_%d", oid, version), ReplicaIdentity: 'd', Columns: []decoder.Column{}}
	for i := range version%3 + 1 {
		rel.Columns = append(rel.Columns, decoder.Column{Name: fmt.Sprintf("c%d", i), TypeOID: 23, TypeModifier: -1, Key: i == 0})
	}
	return rel
}

// emit sends one change, after its table's definition when the server thinks it necessary.
func (m *model) emit(tx *modelTransaction, c *modelChange, inStream bool) {
	c.version = m.version[c.oid]
	sent := m.sent
	if inStream {
		sent = tx.sent
	}
	if v, ok := sent[c.oid]; !ok || v != c.version {
		sent[c.oid] = c.version
		m.push(&decoder.RelationMessage{XID: c.xid, Relation: modelRelation(c.oid, c.version)}, inStream)
	}
	values := make(decoder.Tuple, c.version%3+1)
	for i := range values {
		values[i] = decoder.Value{Kind: decoder.Text, Data: fmt.Appendf(nil, "%d %s", c.row, strings.Repeat("x", c.row%300))}
	}
	m.push(&decoder.InsertMessage{XID: c.xid, RelationOID: c.oid, New: values}, inStream)
}

func (m *model) pick(from []*modelTransaction) *modelTransaction {
	return from[m.rand.IntN(len(from))]
}

func (m *model) write(tx *modelTransaction) {
	xid := tx.xid
	for _, l := range tx.levels {
		if l.xid == 0 {
			l.xid = m.xid()
		}
		xid = l.xid
	}
	for range 1 + m.rand.IntN(6) {
		oid := 1 + m.rand.Uint32N(3)
		m.nextRow++
		c := &modelChange{xid: xid, oid: oid, row: m.nextRow}
		tx.changes = append(tx.changes, c)
		tx.unsent = append(tx.unsent, c)
	}
}

// stream sends a segment with what the transaction has so far.
func (m *model) stream(tx *modelTransaction) {
	if len(tx.unsent) == 0 {
		return
	}
	m.push(&decoder.StreamStartMessage{XID: tx.xid, First: !tx.started}, false)
	if !tx.started {
		tx.started, tx.sent = true, make(map[uint32]int)
	}
	for _, c := range tx.unsent {
		m.emit(tx, c, true)
	}
	m.push(&decoder.StreamStopMessage{}, true)
	tx.unsent = nil
}

// rollbackTo aborts the subtransactions from depth on, children in any order. The
// server does not send them all.
func (m *model) rollbackTo(tx *modelTransaction, depth int) {
	var aborted []uint32
	for _, l := range tx.levels[depth:] {
		aborted = append(aborted, l.released...)
		if l.xid != 0 {
			aborted = append(aborted, l.xid)
		}
	}
	tx.levels = tx.levels[:depth]
	isAborted := func(c *modelChange) bool { return slices.Contains(aborted, c.xid) }
	tx.changes = slices.DeleteFunc(tx.changes, isAborted)
	tx.unsent = slices.DeleteFunc(tx.unsent, isAborted)
	for _, i := range m.rand.Perm(len(aborted)) {
		m.aborted[aborted[i]] = true
		if tx.started && m.rand.IntN(3) > 0 {
			m.push(&decoder.StreamAbortMessage{XID: tx.xid, SubXID: aborted[i]}, false)
		}
	}
}

func (m *model) release(tx *modelTransaction) {
	last := tx.levels[len(tx.levels)-1]
	tx.levels = tx.levels[:len(tx.levels)-1]
	released := last.released
	if last.xid != 0 {
		released = append(released, last.xid)
	}
	if n := len(tx.levels); n > 0 {
		tx.levels[n-1].released = append(tx.levels[n-1].released, released...)
	}
}

func (m *model) expect(tx *modelTransaction) {
	fmt.Fprintf(&m.want, "begin %d\n", tx.xid)
	for _, c := range tx.changes {
		fmt.Fprintf(&m.want, "t%d_%d row %d\n", c.oid, c.version, c.row)
	}
	m.want.WriteString("commit\n")
}

func (m *model) commit(tx *modelTransaction) {
	m.open = slices.DeleteFunc(m.open, func(o *modelTransaction) bool { return o == tx })
	commit, end := m.lsn(), m.lsn()
	defer m.expect(tx)
	if tx.started {
		m.stream(tx)
		m.push(&decoder.StreamCommitMessage{XID: tx.xid, CommitLSN: commit, EndLSN: end}, false)
		for oid, v := range tx.sent {
			if v == m.version[oid] {
				m.sent[oid] = v // unless altered since, the server counts it as sent from here on
			}
		}
		return
	}
	m.push(&decoder.BeginMessage{XID: tx.xid, CommitLSN: commit}, false)
	for _, c := range tx.changes {
		m.emit(tx, c, false)
	}
	m.push(&decoder.CommitMessage{CommitLSN: commit, EndLSN: end}, false)
}

func (m *model) prepare(tx *modelTransaction) {
	m.open = slices.DeleteFunc(m.open, func(o *modelTransaction) bool { return o == tx })
	tx.gid = fmt.Sprintf("gid %d", tx.xid)
	m.prepared = append(m.prepared, tx)
	lsn, end := m.lsn(), m.lsn()
	if tx.started {
		m.stream(tx)
		m.push(&decoder.StreamPrepareMessage{PrepareLSN: lsn, EndLSN: end, XID: tx.xid, GID: tx.gid}, false)
		return
	}
	m.push(&decoder.BeginPrepareMessage{PrepareLSN: lsn, EndLSN: end, XID: tx.xid, GID: tx.gid}, false)
	for _, c := range tx.changes {
		m.emit(tx, c, false)
	}
	m.push(&decoder.PrepareMessage{PrepareLSN: lsn, EndLSN: end, XID: tx.xid, GID: tx.gid}, false)
}

func (m *model) finishPrepared(tx *modelTransaction, commit bool) {
	m.prepared = slices.DeleteFunc(m.prepared, func(o *modelTransaction) bool { return o == tx })
	if !commit {
		m.push(&decoder.RollbackPreparedMessage{XID: tx.xid, GID: tx.gid}, false)
		return
	}
	m.expect(tx)
	m.push(&decoder.CommitPreparedMessage{CommitLSN: m.lsn(), EndLSN: m.lsn(), XID: tx.xid, GID: tx.gid}, false)
}

func (m *model) rollback(tx *modelTransaction) {
	m.open = slices.DeleteFunc(m.open, func(o *modelTransaction) bool { return o == tx })
	if tx.started {
		m.rollbackTo(tx, 0)
		m.push(&decoder.StreamAbortMessage{XID: tx.xid, SubXID: tx.xid}, false)
	}
}

// modelHandler renders what the model's expectations say.
type modelHandler struct{ got strings.Builder }

func (h *modelHandler) Begin(tx *decoder.Transaction) error {
	fmt.Fprintf(&h.got, "begin %d\n", tx.XID)
	return nil
}

func (h *modelHandler) Change(c *decoder.Change) error {
	row, _, _ := strings.Cut(string(c.New[len(c.New)-1].Data), " ")
	fmt.Fprintf(&h.got, "%s row %s\n", c.Relation.Name, row)
	return nil
}

func (h *modelHandler) Commit(*decoder.Transaction) error {
	h.got.WriteString("commit\n")
	return nil
}

func (h *modelHandler) Message(bool, decoder.LSN, string, []byte) error { return nil }

// Property: whatever the interleaving, the consumer sees each committed
// transaction once, whole, in commit order, without what was rolled back, and no
// file is left. Most memory bounds make it spill.
func TestAssembler_DeliversCommittedChanges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			runModel(t, seed)
		})
	}
}

func runModel(t *testing.T, seed uint64) {
	t.Helper()
	h, dir := &modelHandler{}, t.TempDir()
	memory := []int64{1, 5000, 40000, 0}[seed%4]
	m := &model{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), nextXID: 700, sent: make(map[uint32]int), version: make(map[uint32]int),
		aborted: make(map[uint32]bool),
	}
	m.a = decoder.NewAssembler(decoder.AssemblerOptions{MemoryBytes: memory, SpillDir: dir, RolledBack: func(xids []uint32) ([]uint32, error) {
		return slices.DeleteFunc(xids, func(xid uint32) bool { return !m.aborted[xid] }), nil
	}}, h)
	// Transactions live long enough to lose several subtransactions.
	actions := strings.Fields(strings.Repeat("write savepoint stream rollback-to release write stream ", 4) + "begin commit rollback prepare finish alter")
	for range 500 {
		switch action := actions[m.rand.IntN(len(actions))]; {
		case action == "finish":
			if len(m.prepared) > 0 {
				m.finishPrepared(m.pick(m.prepared), m.rand.IntN(2) == 0)
			}
		case action == "alter":
			m.version[1+m.rand.Uint32N(3)]++
		case len(m.open) == 0, action == "begin" && len(m.open) < 3:
			m.open = append(m.open, &modelTransaction{xid: m.xid(), streamed: m.rand.IntN(2) == 0})
		default:
			m.act(action, m.pick(m.open))
		}
	}
	if h.got.String() != m.want.String() {
		t.Fatalf("got:\n%s\nwant:\n%s", h.got.String(), m.want.String())
	}
	if pending := m.a.Pending(); (pending != 0) != (len(m.prepared) > 0) {
		t.Fatalf("pending at %s with %d transactions prepared", pending, len(m.prepared))
	}
	if err := m.a.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
}

func (m *model) act(action string, tx *modelTransaction) {
	switch action {
	case "write":
		m.write(tx)
	case "savepoint":
		tx.levels = append(tx.levels, &modelLevel{})
	case "release":
		if len(tx.levels) > 0 {
			m.release(tx)
		}
	case "rollback-to":
		if n := len(tx.levels); n > 0 {
			m.rollbackTo(tx, m.rand.IntN(n))
		}
	case "stream":
		if tx.streamed {
			m.stream(tx)
		}
	case "commit":
		m.commit(tx)
	case "prepare":
		m.prepare(tx)
	case "rollback":
		m.rollback(tx)
	}
}
