package decoder_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
)

var testRelation = &decoder.Relation{
	OID: 16384, Namespace: "public", Name: "t", ReplicaIdentity: decoder.IdentityDefault,
	Columns: []decoder.Column{{Name: "id", TypeOID: 23, TypeModifier: -1, Key: true}},
}

func row(xid uint32, value string) *decoder.InsertMessage {
	return &decoder.InsertMessage{XID: xid, RelationOID: 16384, New: decoder.Tuple{{Kind: decoder.Text, Data: []byte(value)}}}
}

// noneRolledBack is for streams in which every rollback was sent.
func noneRolledBack([]uint32) ([]uint32, error) { return nil, nil }

// pushAll pushes messages and returns the first error.
func pushAll(a *decoder.Assembler, messages ...decoder.Message) error {
	inStream := false
	for _, m := range messages {
		if err := a.Push(0x1234, encode(m, inStream)); err != nil {
			return err
		}
		switch m.(type) {
		case *decoder.StreamStartMessage:
			inStream = true
		case *decoder.StreamStopMessage:
			inStream = false
		}
	}
	return nil
}

func TestAssembler_RefusesWhatBreaksTheProtocol(t *testing.T) {
	t.Parallel()
	relation := &decoder.RelationMessage{Relation: testRelation}
	begin, start, stop := &decoder.BeginMessage{XID: 7, CommitLSN: 9}, &decoder.StreamStartMessage{XID: 7, First: true}, &decoder.StreamStopMessage{}
	prepare := &decoder.BeginPrepareMessage{XID: 7, PrepareLSN: 9, GID: "g"}
	wide := &decoder.InsertMessage{RelationOID: 16384, New: decoder.Tuple{{Kind: decoder.Null}, {Kind: decoder.Null}}}
	for name, c := range map[string]struct {
		want     string
		messages []decoder.Message
	}{
		"a row outside of a transaction":        {"insert message where none may come", []decoder.Message{relation, row(0, "")}},
		"a row of an unknown relation":          {"insert message for relation 16384, which the stream has not defined", []decoder.Message{begin, row(0, "")}},
		"a streamed row of an outer relation":   {"which the stream has not defined", []decoder.Message{relation, start, row(7, "")}},
		"a truncate of an unknown relation":     {"truncate message for relation 5,", []decoder.Message{begin, &decoder.TruncateMessage{RelationOIDs: []uint32{5}}}},
		"a tuple of another width":              {"its tuples have 0 and 2 columns, the relation has 1", []decoder.Message{relation, begin, wide}},
		"a transaction inside of another":       {"begin message where none may come", []decoder.Message{begin, begin}},
		"a commit without begin":                {"commit message where none may come", []decoder.Message{&decoder.CommitMessage{}}},
		"a commit of something else":            {"transaction 7 commits at 0/8, its begin said 0/9", []decoder.Message{begin, &decoder.CommitMessage{CommitLSN: 8}}},
		"an origin after the first row":         {"origin message where none may come", []decoder.Message{relation, begin, row(0, ""), &decoder.OriginMessage{}}},
		"a stream inside of a transaction":      {"stream start message where none may come", []decoder.Message{begin, start}},
		"a stop without start":                  {"stream stop message where none may come", []decoder.Message{stop}},
		"a later segment without the first":     {"continues transaction 7, whose first segment did not come", []decoder.Message{&decoder.StreamStartMessage{XID: 7}}},
		"a commit of what was not streamed":     {"stream commit of transaction 7, which was not streamed", []decoder.Message{&decoder.StreamCommitMessage{XID: 7}}},
		"a prepare of what was not streamed":    {"stream prepare of transaction 7, which was not streamed", []decoder.Message{&decoder.StreamPrepareMessage{XID: 7}}},
		"an abort inside of a segment":          {"stream abort message where none may come", []decoder.Message{start, &decoder.StreamAbortMessage{XID: 7, SubXID: 7}}},
		"a prepare inside of a transaction":     {"prepare message where none may come", []decoder.Message{begin, &decoder.PrepareMessage{}}},
		"a prepare of something else":           {"transaction 7 is prepared at 0/8, its begin said transaction 7 at 0/9", []decoder.Message{prepare, &decoder.PrepareMessage{XID: 7, PrepareLSN: 8, GID: "g"}}},
		"a commit under another name":           {`transaction 7 commits as "h", it was prepared as "g"`, []decoder.Message{prepare, &decoder.PrepareMessage{XID: 7, PrepareLSN: 9, GID: "g"}, &decoder.CommitPreparedMessage{XID: 7, GID: "h"}}},
		"a transactional message outside":       {"logical message where none may come", []decoder.Message{&decoder.LogicalMessage{Transactional: true, Content: []byte{}}}},
		"a begin prepare inside of a prepare":   {"begin prepare message where none may come", []decoder.Message{prepare, prepare}},
		"a subtransaction of unknown outcome":   {"transaction 7 was streamed with subtransactions, and nothing says which were rolled back", []decoder.Message{start, &decoder.RelationMessage{XID: 7, Relation: testRelation}, row(8, ""), stop, &decoder.StreamCommitMessage{XID: 7}}},
		"a commit inside of a streamed segment": {"commit message where none may come", []decoder.Message{start, &decoder.CommitMessage{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: t.TempDir()}, &recorder{})
			err := pushAll(a, c.messages...)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "decode the stream at 0/1234: ") {
				t.Fatalf("got error %v, want %s", err, c.want)
			}
			if again := a.Push(0, encode(begin, false)); again != err { //nolint:errorlint // the very same
				t.Fatalf("after the error, Push returns %v", again)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAssembler_KeepsPointerOfEqualRelation(t *testing.T) {
	t.Parallel()
	seen := make(map[*decoder.Relation]bool)
	a := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: t.TempDir()}, changes(func(c *decoder.Change) error {
		seen[c.Relation] = true
		return nil
	}))
	relation := &decoder.RelationMessage{Relation: testRelation}
	streamed := &decoder.RelationMessage{XID: 8, Relation: testRelation}
	err := pushAll(a,
		&decoder.BeginMessage{XID: 7}, relation, row(0, "a"), relation, row(0, "b"), &decoder.CommitMessage{},
		&decoder.StreamStartMessage{XID: 8, First: true}, streamed, row(8, "c"), &decoder.StreamStopMessage{}, &decoder.StreamCommitMessage{XID: 8},
		&decoder.BeginMessage{XID: 9}, relation, row(0, "d"), &decoder.CommitMessage{})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 {
		t.Fatalf("%d relations for one definition", len(seen))
	}
}

// changes is a Handler of which only Change matters.
type changes func(c *decoder.Change) error

func (f changes) Begin(*decoder.Transaction) error                { return nil }
func (f changes) Change(c *decoder.Change) error                  { return f(c) }
func (f changes) Commit(*decoder.Transaction) error               { return nil }
func (f changes) Message(bool, decoder.LSN, string, []byte) error { return nil }

func TestAssembler_ReturnsTheHandlersError(t *testing.T) {
	t.Parallel()
	stop := errors.New("enough")
	for name, messages := range map[string][]decoder.Message{
		"whole": {&decoder.BeginMessage{XID: 7}, &decoder.RelationMessage{Relation: testRelation}, row(0, "a")},
		"streamed": {
			&decoder.StreamStartMessage{XID: 7, First: true}, &decoder.RelationMessage{XID: 7, Relation: testRelation}, row(7, "a"),
			&decoder.StreamStopMessage{}, &decoder.StreamCommitMessage{XID: 7},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: dir, MemoryBytes: 1}, changes(func(*decoder.Change) error { return stop }))
			if err := pushAll(a, messages...); !errors.Is(err, stop) {
				t.Fatalf("got error %v", err)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Fatalf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestAssembler_SkipsWhatWasApplied(t *testing.T) {
	t.Parallel()
	h := &recorder{brief: true}
	a := decoder.NewAssembler(decoder.AssemblerOptions{SkipBefore: 0x30, SpillDir: t.TempDir()}, h)
	relation := &decoder.RelationMessage{Relation: testRelation}
	err := pushAll(a,
		&decoder.BeginMessage{XID: 1, CommitLSN: 0x20}, relation, row(0, "applied"), &decoder.CommitMessage{CommitLSN: 0x20, EndLSN: 0x30},
		&decoder.LogicalMessage{LSN: 0x30, Prefix: "p", Content: []byte("applied")},
		&decoder.StreamStartMessage{XID: 2, First: true}, &decoder.RelationMessage{XID: 2, Relation: testRelation}, row(2, "applied"),
		&decoder.StreamStopMessage{}, &decoder.StreamCommitMessage{XID: 2, CommitLSN: 0x28, EndLSN: 0x30},
		&decoder.CommitPreparedMessage{XID: 3, GID: "applied", CommitLSN: 0x29},
		&decoder.BeginPrepareMessage{XID: 4, PrepareLSN: 0x10, GID: "g"}, row(0, "prepared"), &decoder.PrepareMessage{XID: 4, PrepareLSN: 0x10, GID: "g"},
		&decoder.BeginMessage{XID: 5, CommitLSN: 0x30}, row(0, "new"), &decoder.CommitMessage{CommitLSN: 0x30, EndLSN: 0x40},
		&decoder.LogicalMessage{LSN: 0x48, Prefix: "p", Content: []byte("new")},
		&decoder.CommitPreparedMessage{XID: 4, GID: "g", CommitLSN: 0x50, EndLSN: 0x60})
	if err != nil {
		t.Fatal(err)
	}
	want := "begin 5\n  relation public.t identity d: id 23/-1 key\n  insert t N(\"new\")\ncommit 5\nmessage \"p\" \"new\"\nbegin 4\n  insert t N(\"prepared\")\ncommit 4\n"
	if got := h.out.String(); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if a.Pending() != 0 {
		t.Fatalf("pending at %s", a.Pending())
	}
}

// A definition that a rolled back subtransaction brought stays in effect: the
// server does not repeat it.
func TestAssembler_KeepsDefinitionsOfRolledBackSubtransactions(t *testing.T) {
	t.Parallel()
	h := &recorder{brief: true}
	a := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: t.TempDir()}, h)
	err := pushAll(a,
		&decoder.StreamStartMessage{XID: 7, First: true}, &decoder.RelationMessage{XID: 8, Relation: testRelation}, row(8, "gone"), &decoder.StreamStopMessage{},
		&decoder.StreamAbortMessage{XID: 7, SubXID: 8},
		&decoder.StreamStartMessage{XID: 7}, row(7, "kept"), &decoder.StreamStopMessage{},
		&decoder.StreamCommitMessage{XID: 7})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.out.String(); !strings.Contains(got, "kept") || strings.Contains(got, "gone") {
		t.Fatal(got)
	}
}

func TestAssembler_RefusesPushAfterClose(t *testing.T) {
	t.Parallel()
	a := decoder.NewAssembler(decoder.AssemblerOptions{}, &recorder{})
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := pushAll(a, &decoder.BeginMessage{}); err == nil {
		t.Fatal("no error")
	}
}

func TestAssembler_DescribesAPayloadFromItsBeginning(t *testing.T) {
	t.Parallel()
	a := decoder.NewAssembler(decoder.AssemblerOptions{}, changes(func(*decoder.Change) error { return nil }))
	if err := pushAll(a, &decoder.BeginMessage{XID: 7}, &decoder.RelationMessage{Relation: testRelation}); err != nil {
		t.Fatal(err)
	}
	for payload, want := range map[string]string{
		string(encode(row(0, "a"), false))[:5]: "insert of table public.t",
		"I\x00\x00\x00\x09":                    "insert",
		"I\x00":                                "insert",
		"B":                                    "begin",
		"":                                     "empty message",
	} {
		if got := a.Describe([]byte(payload)); !strings.EqualFold(got, want) {
			t.Errorf("%q is described as %q, want %q", payload, got, want)
		}
	}
	if err := pushAll(a, &decoder.CommitMessage{}, &decoder.StreamStartMessage{XID: 8, First: true},
		&decoder.RelationMessage{XID: 8, Relation: testRelation}); err != nil {
		t.Fatal(err)
	}
	if got := a.Describe(encode(row(8, "a"), true)); !strings.EqualFold(got, "insert of table public.t") {
		t.Errorf("in a stream: %q", got)
	}
}

// The messages are what servers 14 to 18 send of BEGIN; INSERT 1; SAVEPOINT; INSERT 2, with a
// value of 9 MB; ROLLBACK TO; INSERT 3; COMMIT: a rolled back subtransaction, and no abort.
func TestAssembler_AsksForRollbacksThatAreNotSent(t *testing.T) {
	t.Parallel()
	unknown := errors.New("the source is gone")
	for name, c := range map[string]struct {
		rolledBack []uint32
		err        error
		commit     decoder.LSN
		asked      int
		want       string
	}{
		"rolled back":     {rolledBack: []uint32{701}, commit: 0x50, asked: 1, want: "1 3"},
		"committed":       {commit: 0x50, asked: 1, want: "1 2 3"},
		"nobody answers":  {err: unknown, commit: 0x50, asked: 1},
		"applied already": {err: unknown, commit: 0x20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, asked := &applied{}, 0
			a := decoder.NewAssembler(decoder.AssemblerOptions{SkipBefore: 0x30, SpillDir: t.TempDir(), RolledBack: func(xids []uint32) ([]uint32, error) {
				if asked++; !slices.Equal(xids, []uint32{701, 702}) {
					t.Errorf("asked for %v", xids)
				}
				return c.rolledBack, c.err
			}}, h)
			err := pushAll(a, &decoder.StreamStartMessage{XID: 700, First: true}, &decoder.RelationMessage{XID: 700, Relation: testRelation},
				row(700, "1"), row(701, "2"), &decoder.StreamStopMessage{},
				&decoder.StreamStartMessage{XID: 700}, row(702, "3"), &decoder.StreamStopMessage{},
				&decoder.StreamCommitMessage{XID: 700, CommitLSN: c.commit, EndLSN: c.commit + 8})
			if failed := c.err != nil && c.asked > 0; failed != errors.Is(err, unknown) || !failed && err != nil {
				t.Errorf("got error %v", err)
			}
			if got := strings.Join(h.rows, " "); got != c.want || asked != c.asked {
				t.Errorf("got rows %q after %d questions, want %q after %d", got, asked, c.want, c.asked)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
