package decoder_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
)

// stream pushes a streamed transaction's first segment with rows of 1000 bytes.
func stream(a *decoder.Assembler, xid uint32, rows int) error {
	messages := []decoder.Message{&decoder.StreamStartMessage{XID: xid, First: true}, &decoder.RelationMessage{XID: xid, Relation: testRelation}}
	for range rows {
		messages = append(messages, row(xid, strings.Repeat("x", 1000)))
	}
	return pushAll(a, append(messages, &decoder.StreamStopMessage{})...)
}

func TestAssembler_KeepsWithinItsBounds(t *testing.T) {
	t.Parallel()
	rows := 0
	a := decoder.NewAssembler(decoder.AssemblerOptions{MemoryBytes: 64 << 10, SpillDir: t.TempDir()}, changes(func(*decoder.Change) error {
		rows++
		return nil
	}))
	for xid := range uint32(20) {
		if err := stream(a, 700+xid, 100); err != nil {
			t.Fatal(err)
		}
		if memory, _ := a.Kept(); memory > 64<<10 {
			t.Fatalf("%d bytes in memory", memory)
		}
	}
	if _, spilled := a.Kept(); spilled < 1<<20 {
		t.Fatalf("%d bytes in files", spilled)
	}
	for xid := range uint32(20) {
		if err := pushAll(a, &decoder.StreamCommitMessage{XID: 700 + xid}); err != nil {
			t.Fatal(err)
		}
	}
	if memory, spilled := a.Kept(); memory != 0 || spilled != 0 || rows != 2000 {
		t.Fatalf("after %d rows %d bytes are in memory and %d in files", rows, memory, spilled)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAssembler_SpillErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	full := func(dir string) (*os.File, error) {
		path := filepath.Join(dir, "full")
		if err := os.Symlink("/dev/full", path); err != nil {
			return nil, err
		}
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	for name, c := range map[string]struct {
		options decoder.AssemblerOptions
		create  func(dir string) (*os.File, error)
		want    string
	}{
		"the disk is full":           {decoder.AssemblerOptions{SpillDir: t.TempDir()}, full, "no space left on device"},
		"the bound is reached":       {decoder.AssemblerOptions{SpillDir: t.TempDir(), SpillBytes: 10000}, nil, "the files would pass their bound of 10000 bytes"},
		"there is no such directory": {decoder.AssemblerOptions{SpillDir: filepath.Join(t.TempDir(), "none")}, nil, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.options.MemoryBytes = 1
			a := decoder.NewAssembler(c.options, &recorder{})
			if c.create != nil {
				a.CreateSpillWith(c.create)
			}
			err := stream(a, 700, 100)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "spill transaction 700 to ") {
				t.Fatalf("got error %v, want %s", err, c.want)
			}
			if hint := errors.FlattenHints(err); !strings.Contains(hint, "give the spill directory more room") {
				t.Fatalf("hint %q", hint)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(c.options.SpillDir); err == nil && len(left) > 0 {
				t.Fatalf("left behind: %v", left)
			}
		})
	}
}

// Damage is found when a transaction is handed over and when it is cut.
func TestAssembler_NoticesDamagedSpillFile(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]decoder.Message{
		"at commit":   &decoder.StreamCommitMessage{XID: 700},
		"at rollback": &decoder.StreamAbortMessage{XID: 700, SubXID: 701},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var file *os.File
			a := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: t.TempDir(), MemoryBytes: 20000, RolledBack: noneRolledBack}, &recorder{})
			a.CreateSpillWith(func(dir string) (f *os.File, err error) {
				file, err = os.CreateTemp(dir, "")
				return file, err
			})
			err := pushAll(a, &decoder.StreamStartMessage{XID: 700, First: true}, &decoder.RelationMessage{XID: 700, Relation: testRelation},
				row(700, "top"), row(701, "sub"), row(700, strings.Repeat("x", 20000)), &decoder.StreamStopMessage{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteAt([]byte{0xff}, 12); err != nil {
				t.Fatal(err)
			}
			if err := pushAll(a, end); err == nil || !strings.Contains(err.Error(), "the spill file of transaction 700 differs from what was written") {
				t.Fatalf("got error %v", err)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Where an open file cannot lose its name it is removed when it is closed.
func TestAssembler_RemovesNamedSpillFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: dir, MemoryBytes: 1}, &recorder{})
	hidden := filepath.Join(dir, "hidden")
	a.CreateSpillWith(func(dir string) (*os.File, error) {
		f, err := os.Create(filepath.Join(dir, "spill"))
		if err != nil {
			return nil, err
		}
		return f, os.Rename(f.Name(), hidden) // removing it by its name fails
	})
	if err := stream(a, 700, 10); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(dir, "spill")); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
}
