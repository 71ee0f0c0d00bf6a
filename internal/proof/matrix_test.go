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

// writeMatrix writes the document, when that is asked for, of a run that killed at every
// place of every scenario and ended equal.
func writeMatrix(t *testing.T, places map[string][]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(matrixHead)
	for _, name := range slices.Sorted(maps.Keys(places)) {
		fmt.Fprintf(&b, "| %s | %s | equal |\n", name, strings.Join(places[name], ", "))
	}
	if !*update || t.Failed() {
		return // what is not equal has been said
	}
	if err := os.WriteFile(matrixFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const matrixHead = `# Crash matrix

Written by ` + "`go test ./internal/proof -run TestCrash -update`" + `. walferry is killed by SIGKILL at each named
place (` + "`failpoint.Hit`" + ` in the source), the same command is run again, and all rows, sequences
and the witness are compared, in every scenario that passes the place. The scenarios are in
` + "`internal/proof/crash_test.go`" + `; ` + "`make prove`" + ` kills at each place in one of them.

| place | scenarios | result |
|---|---|---|
`
