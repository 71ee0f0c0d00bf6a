package source_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/source"
)

func TestRolledBack(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, sourceMajor()).Database(t, published)
	info, err := conninfo.Parse("source", uri)
	if err != nil {
		t.Fatal(err)
	}
	session := pgtest.Connect(t, uri)
	var kept, outer, inner, last uint32
	for _, step := range []struct {
		sql string
		xid *uint32
	}{
		{"BEGIN; SAVEPOINT a; INSERT INTO t VALUES (1)", &kept},
		{"RELEASE a; SAVEPOINT b; INSERT INTO t VALUES (2)", &outer},
		{"SAVEPOINT c; INSERT INTO t VALUES (3)", &inner},
		{"RELEASE c; ROLLBACK TO b; SAVEPOINT d; INSERT INTO t VALUES (4)", &last},
	} {
		if _, err := session.Exec(t.Context(), step.sql); err != nil {
			t.Fatal(err)
		}
		if err := session.QueryRow(t.Context(), "SELECT xmin FROM t ORDER BY id DESC LIMIT 1").Scan(step.xid); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(subtransactions ...uint32) string {
		t.Helper()
		got, err := source.RolledBack(t.Context(), info, subtransactions)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		return fmt.Sprint(got)
	}
	want := fmt.Sprint([]uint32{outer, inner})
	if got := ask(kept, outer, inner, last); got != want {
		t.Errorf("before the commit: %s, want %s", got, want)
	}
	if _, err := session.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if got := ask(kept, outer, inner, last); got != want {
		t.Errorf("after it: %s, want %s", got, want)
	}
	if got := ask(kept); got != "[]" {
		t.Errorf("of one that committed: %s", got)
	}
}
