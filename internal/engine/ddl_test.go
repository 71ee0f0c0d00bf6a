package engine_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// hinted finds the statement in the hint of an error.
var hinted = regexp.MustCompile(`(?m)^walferry: hint: .*?((?:ALTER|CREATE) TABLE [^;]*)`)

// TestEndToEnd_ColumnAddedOnTheSource stops at the change with the SQL to run, and
// goes on after it was run: nothing is lost in between.
func TestEndToEnd_ColumnAddedOnTheSource(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE "T one" (id int PRIMARY KEY, v text)`, `INSERT INTO "T one" VALUES (1, 'before')`)
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	pgtest.Exec(t, p.source, `INSERT INTO "T one" VALUES (2, 'before')`)
	// In one batch with what follows it would wait for the column, too.
	pgtest.Eventually(t, "what came before the change is applied", func() bool {
		return m.running() && pgtest.Query(t, p.target, `SELECT count(*) FROM "T one"`)[0][0] == "2"
	})
	pgtest.Exec(t, p.source, `ALTER TABLE "T one" ADD COLUMN "new Column" numeric(12,2)`,
		`INSERT INTO "T one" VALUES (3, 'after', 4.50)`, `UPDATE "T one" SET "new Column" = 1 WHERE id = 1`)
	m.wait(1)
	statement := hinted.FindStringSubmatch(m.Stderr.String())
	if statement == nil || !strings.Contains(statement[1], `"new Column"`) {
		t.Fatalf("no statement to run in:\n%s", m.Stderr.String())
	}
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM "T one"`)[0][0]; got != "2" {
		t.Errorf("%s rows before the change, want 2", got)
	}
	pgtest.Exec(t, p.target, statement[1])
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	pgtest.Compare(t, p.source, p.target)
}

// TestEndToEnd_PartitionAddedOnTheSource stops naming the partition that the target
// lacks; once it is there, its rows come, those from before its ATTACH included.
func TestEndToEnd_PartitionAddedOnTheSource(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
		CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
		INSERT INTO parts SELECT i, '2024-01-01' FROM generate_series(1, 100) i`)
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the stream runs", func() bool { return m.running() && p.phase(t) == "streaming" })
	const partition = `CREATE TABLE parts_high (id int, day date, PRIMARY KEY (id, day))`
	pgtest.Exec(t, p.source, partition, `INSERT INTO parts_high SELECT i, '2026-01-01'::date FROM generate_series(1, 50) i`,
		`ALTER TABLE parts ATTACH PARTITION parts_high FOR VALUES FROM ('2025-01-01') TO (MAXVALUE)`,
		`INSERT INTO parts VALUES (1000, '2026-01-01'); UPDATE parts SET day = '2026-02-02' WHERE id = 77; DELETE FROM parts WHERE id = 8`)
	m.wait(1)
	if !strings.Contains(m.Stderr.String(), "parts_high") {
		t.Errorf("the error does not name the partition:\n%s", m.Stderr.String())
	}
	pgtest.Exec(t, p.target, partition, `ALTER TABLE parts ATTACH PARTITION parts_high FOR VALUES FROM ('2025-01-01') TO (MAXVALUE)`)
	run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
	pgtest.Compare(t, p.source, p.target)
}
