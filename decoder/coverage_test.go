package decoder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/walferry/walferry/decoder"
)

// features are what the golden files must show, each with what recognises it.
var features = []struct {
	name string
	in   func(m decoder.Message, inStream bool) bool
}{
	{"B begin", is[*decoder.BeginMessage]},
	{"C commit", is[*decoder.CommitMessage]},
	{"O origin", is[*decoder.OriginMessage]},
	{"O origin, streamed", func(m decoder.Message, inStream bool) bool {
		return inStream && is[*decoder.OriginMessage](m, inStream)
	}},
	{"R relation", is[*decoder.RelationMessage]},
	{"R relation, streamed", func(m decoder.Message, inStream bool) bool {
		return inStream && is[*decoder.RelationMessage](m, inStream)
	}},
	{"R relation, each replica identity: default", identity(decoder.IdentityDefault)},
	{"R relation, nothing", identity(decoder.IdentityNothing)},
	{"R relation, full", identity(decoder.IdentityFull)},
	{"R relation, index", identity(decoder.IdentityIndex)},
	{"Y type", is[*decoder.TypeMessage]},
	{"I insert", is[*decoder.InsertMessage]},
	{"I insert, no columns", func(m decoder.Message, _ bool) bool {
		i, ok := m.(*decoder.InsertMessage)
		return ok && len(i.New) == 0
	}},
	{"I insert, null", insertWith(decoder.Null)},
	{"I insert, unchanged", insertWith(decoder.Unchanged)},
	{"I insert, text", insertWith(decoder.Text)},
	{"I insert, binary", insertWith(decoder.Binary)},
	{"U update, new tuple alone", updateWith(decoder.OldNone)},
	{"U update, old key", updateWith(decoder.OldKey)},
	{"U update, old row", updateWith(decoder.OldFull)},
	{"D delete, key", deleteWith(decoder.OldKey)},
	{"D delete, row", deleteWith(decoder.OldFull)},
	{"T truncate", is[*decoder.TruncateMessage]},
	{"M message, transactional", emitted(true, false)},
	{"M message, transactional and streamed", emitted(true, true)},
	{"M message, not transactional", emitted(false, false)},
	{"S stream start", is[*decoder.StreamStartMessage]},
	{"E stream stop", is[*decoder.StreamStopMessage]},
	{"c stream commit", is[*decoder.StreamCommitMessage]},
	{"A stream abort", aborted(false, false)},
	{"A stream abort, subtransaction", aborted(true, false)},
	{"A stream abort, with position", aborted(false, true)},
	{"A stream abort, subtransaction with position", aborted(true, true)},
	{"b begin prepare", is[*decoder.BeginPrepareMessage]},
	{"P prepare", is[*decoder.PrepareMessage]},
	{"K commit prepared", is[*decoder.CommitPreparedMessage]},
	{"r rollback prepared", is[*decoder.RollbackPreparedMessage]},
	{"p stream prepare", is[*decoder.StreamPrepareMessage]},
}

func is[M decoder.Message](m decoder.Message, _ bool) bool { _, ok := m.(M); return ok }

func identity(want decoder.ReplicaIdentity) func(decoder.Message, bool) bool {
	return func(m decoder.Message, _ bool) bool {
		r, ok := m.(*decoder.RelationMessage)
		return ok && r.Relation.ReplicaIdentity == want
	}
}

func insertWith(kind decoder.ValueKind) func(decoder.Message, bool) bool {
	return func(m decoder.Message, _ bool) bool {
		i, ok := m.(*decoder.InsertMessage)
		return ok && slices.ContainsFunc(i.New, func(v decoder.Value) bool { return v.Kind == kind })
	}
}

func updateWith(kind decoder.OldKind) func(decoder.Message, bool) bool {
	return func(m decoder.Message, _ bool) bool {
		u, ok := m.(*decoder.UpdateMessage)
		return ok && u.OldKind == kind
	}
}

func deleteWith(kind decoder.OldKind) func(decoder.Message, bool) bool {
	return func(m decoder.Message, _ bool) bool {
		d, ok := m.(*decoder.DeleteMessage)
		return ok && d.OldKind == kind
	}
}

func emitted(transactional, streamed bool) func(decoder.Message, bool) bool {
	return func(m decoder.Message, inStream bool) bool {
		l, ok := m.(*decoder.LogicalMessage)
		return ok && l.Transactional == transactional && inStream == streamed
	}
}

func aborted(sub, located bool) func(decoder.Message, bool) bool {
	return func(m decoder.Message, _ bool) bool {
		a, ok := m.(*decoder.StreamAbortMessage)
		return ok && a.Located == located && (a.XID != a.SubXID) == sub
	}
}

// The table stands in the design notes between these lines.
const (
	coverageDocument = "../docs/design/decoder.md"
	coverageBegin    = "<!-- coverage: go test ./decoder -run Golden -update -->\n"
	coverageEnd      = "<!-- end of coverage -->\n"
)

// checkCoverage compares the table of the design notes with what the golden files
// hold, and with -update writes it.
func checkCoverage(t *testing.T) {
	t.Helper()
	covering := make([]map[string][]string, len(features)) // feature → case → majors
	for i := range covering {
		covering[i] = make(map[string][]string)
	}
	for _, path := range goldenFiles(t) {
		major, name := filepath.Base(filepath.Dir(path)), strings.TrimSuffix(filepath.Base(path), ".txtar")
		_, stream := readGolden(t, path)
		walk(t, stream, func(_ recorded, m decoder.Message, inStream bool) {
			for i, f := range features {
				if f.in(m, inStream) && !slices.Contains(covering[i][name], major) {
					covering[i][name] = append(covering[i][name], major)
				}
			}
		})
	}
	var table strings.Builder
	table.WriteString("| message | files in decoder/testdata/wal (majors) |\n|---|---|\n")
	for i, f := range features {
		if len(covering[i]) == 0 {
			t.Errorf("no golden file covers %q", f.name)
		}
		var cells []string
		for name, majors := range covering[i] {
			first, last := majors[0], majors[len(majors)-1]
			if first == last {
				cells = append(cells, fmt.Sprintf("%s (%s)", name, first))
				continue
			}
			cells = append(cells, fmt.Sprintf("%s (%s–%s)", name, first, last))
		}
		slices.Sort(cells)
		if n := len(cells); n > 5 {
			cells = append(cells[:4], fmt.Sprintf("%d more", n-4))
		}
		fmt.Fprintf(&table, "| %s | %s |\n", f.name, strings.Join(cells, ", "))
	}
	text, err := os.ReadFile(coverageDocument)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), coverageBegin)
	_, after, found := strings.Cut(rest, coverageEnd)
	if !found {
		t.Fatalf("%s has no lines %q and %q", coverageDocument, coverageBegin, coverageEnd)
	}
	want := before + coverageBegin + table.String() + coverageEnd + after
	if *update {
		if err := os.WriteFile(coverageDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("the table in %s is not what the golden files hold; write it with -update", coverageDocument)
	}
}

func goldenFiles(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/wal/*/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no golden files: %v", err)
	}
	return files
}
