package proof_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write docs/design/crash-matrix.md anew")

const (
	root       = "../.."
	matrixFile = root + "/docs/design/crash-matrix.md"
)

var hit = regexp.MustCompile(`failpoint\.Hit\("([^"]+)"\)`)

// placesInSource are the names of all failpoints that the program has.
func placesInSource(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range hit.FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

// TestMatrix_IsOfThisProgram fails when a place was added or removed after the document
// was written.
func TestMatrix_IsOfThisProgram(t *testing.T) {
	text, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^\| (.+?) \|`).FindAllStringSubmatch(string(text), -1) {
		listed[match[1]] = true
	}
	for _, name := range placesInSource(t) {
		if !listed[name] {
			t.Errorf("%s lacks the place %q", matrixFile, name)
		}
		delete(listed, name)
	}
	for name := range listed {
		// These are named by the step or stage of the moment.
		if name != "place" && !strings.HasPrefix(name, "cutover: ") && !strings.HasPrefix(name, "schema ") {
			t.Errorf("%s has the place %q, the program has not", matrixFile, name)
		}
	}
}

// matrix gathers in which phase walferry was killed at each place of each scenario.
// Safe for concurrent use.
type matrix struct {
	mu     sync.Mutex
	phases map[string]string
}

func (m *matrix) add(failpoint, scenario, phase string) {
	name, _, _ := strings.Cut(failpoint, "=")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phases[scenario+"/"+name] = phase
}

// write writes the document, when that is asked for, of a run that killed at every
// place of every scenario and ended equal.
func (m *matrix) write(t *testing.T, places map[string][]string) {
	t.Helper()
	if !*update || t.Failed() {
		return // what is not equal has been said
	}
	var b strings.Builder
	b.WriteString(matrixHead)
	for _, name := range slices.Sorted(maps.Keys(places)) {
		for _, scenario := range places[name] {
			if phase := m.phases[scenario+"/"+name]; phase != "" { // else it was not passed this time
				fmt.Fprintf(&b, "| %s | %s | %s | equal |\n", name, scenario, phase)
			}
		}
	}
	if err := os.WriteFile(matrixFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const matrixHead = `# Crash matrix

Written by ` + "`go test ./internal/proof -run TestCrash -update`" + `. walferry is killed by SIGKILL at each named
place (` + "`failpoint.Hit`" + ` in the source), the same command is run again, and all rows, sequences
and the witness are compared, in every scenario that passes the place. The phase is what the target had
recorded when walferry was killed, none where it knew no migration. The scenarios are in
` + "`internal/proof/crash_test.go`" + `; ` + "`make prove`" + ` kills at a share of the places, each in one of them. Prepared
transactions are decoded when they are committed, so they have no effect of their own; every scenario of the
stream has some.

| place | scenario | phase | result |
|---|---|---|---|
`
