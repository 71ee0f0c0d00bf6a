package schema_test

import (
	_ "embed"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgbin"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/schema"
)

//go:embed testdata/ugly.sql
var uglySQL string

func TestMain(m *testing.M) { pgtest.Main(m) }

// connect opens a connection as the engine does for entries.
func connect(t *testing.T, uri string) *pgx.Conn {
	t.Helper()
	conn := pgtest.Connect(t, uri)
	if err := schema.Prepare(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

// dump reads a database's entries with the pg_dump of a major version or newer.
func dump(t *testing.T, uri string, major int, o schema.Options) ([]schema.Entry, []schema.LeftOut) {
	t.Helper()
	o.PGBin, o.Conninfo = findPGBin(t, major), uri
	entries, leftOut, err := schema.Dump(t.Context(), o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return entries, leftOut
}

func findPGBin(t *testing.T, major int) schema.PGBin {
	t.Helper()
	dir, err := pgbin.Client(t.Context(), major)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	bin, err := schema.FindPGBin(t.Context(), dir, major)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return bin
}

type warning struct{ object, message string }

// restore runs entries, each in a transaction of its own, and returns the
// warnings.
func restore(t *testing.T, conn *pgx.Conn, entries []schema.Entry) []warning {
	t.Helper()
	var warnings []warning
	for _, e := range entries {
		message, err := apply(t, conn, e)
		if err != nil {
			t.Errorf("%v\n%s", err, errors.FlattenDetails(err))
		}
		if message != "" {
			warnings = append(warnings, warning{e.Object(), message})
		}
	}
	return warnings
}

func apply(t *testing.T, conn *pgx.Conn, e schema.Entry) (warning string, err error) {
	t.Helper()
	err = pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		warning, err = schema.Apply(t.Context(), tx, e)
		return err
	})
	return warning, err
}

// schemaText is pg_dump's text of a database's schema.
func schemaText(t *testing.T, uri string, major int) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), findPGBin(t, major).Dump, "--schema-only", "--no-blobs", "--dbname="+uri).Output()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) && !strings.HasPrefix(line, "-- Dumped from") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// sameText fails with the first lines that differ.
func sameText(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			from := max(0, i-12)
			t.Fatalf("line %d differs; got\n%s\nwant\n%s", i+1,
				strings.Join(g[min(from, len(g)):min(i+6, len(g))], "\n"), strings.Join(w[min(from, len(w)):min(i+6, len(w))], "\n"))
		}
	}
}

// referenceScript is pg_dump's text of the empty database reference after
// pg_restore has filled it from source.
func referenceScript(t *testing.T, source, reference string, major int) string {
	t.Helper()
	bin := findPGBin(t, major)
	file := filepath.Join(t.TempDir(), "dump")
	for _, args := range [][]string{
		{bin.Dump, "--format=custom", "--schema-only", "--no-blobs", "--file=" + file, "--dbname=" + source},
		{bin.Restore, "--exit-on-error", "--dbname=" + reference, file},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return schemaText(t, reference, major)
}
