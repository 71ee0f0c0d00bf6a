package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/status"
)

// TestEndToEnd_StatusNamesTables says of each table how it is moved: skipped,
// inserts only, row by row.
func TestEndToEnd_StatusNamesTables(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE plain (id int PRIMARY KEY, v text); CREATE UNLOGGED TABLE unlogged (id int);
		CREATE TABLE keyless (id int); CREATE TABLE by_numeric (id numeric PRIMARY KEY, v text)`)
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	pgtest.Exec(t, p.source, `INSERT INTO plain VALUES (1, 'a'); INSERT INTO by_numeric VALUES (1.0, 'a'); UPDATE by_numeric SET v = 'b'`)
	var tables map[string]status.Table
	pgtest.Eventually(t, "the numeric key is noticed", func() bool {
		var s status.Status
		out := run(t, 0, p.args("status", "--json")...)
		if err := json.Unmarshal([]byte(out.Stdout.String()), &s); err != nil {
			t.Fatalf("%v in %s", err, out.Stdout.String())
		}
		tables = map[string]status.Table{}
		for _, table := range s.Databases[0].Tables {
			tables[table.Table] = table
		}
		return tables["public.by_numeric"].RowByRow != ""
	})
	if got := tables["public.plain"]; got.State != "ready" || got.RowByRow != "" || got.Reason != "" {
		t.Errorf("plain: %+v", got)
	}
	if got := tables["public.unlogged"]; got.State != "skipped" || got.Reason == "" {
		t.Errorf("unlogged: %+v", got)
	}
	if got := tables["public.keyless"]; got.State != "ready" || got.Reason == "" {
		t.Errorf("keyless: %+v", got)
	}
}
