package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
)

// open begins a transaction, with an id, on a connection of its own.
func open(t *testing.T, uri string) (tx pgx.Tx, xid string) {
	t.Helper()
	tx, err := pgtest.Connect(t, uri).Begin(t.Context())
	if err == nil {
		err = tx.QueryRow(t.Context(), `SELECT pg_current_xact_id()::xid::text`).Scan(&xid)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tx, xid
}

func commit(t *testing.T, tx pgx.Tx) {
	t.Helper()
	if err := tx.Commit(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// slotWaits reports whether the creation of the migration's slot waits for a transaction. That of
// another test's may, too.
func (p pair) slotWaits(t *testing.T, xid string) bool {
	t.Helper()
	return pgtest.Query(t, p.source, `SELECT count(*) FROM pg_locks l JOIN pg_replication_slots s ON s.active_pid = l.pid
		WHERE l.locktype = 'transactionid' AND NOT l.granted AND l.transactionid::text = $1
			AND s.database = current_database() AND s.slot_name LIKE 'walferry_default%'`, xid)[0][0] != "0"
}

// TestEndToEnd_AlteredWhileTheSlotIsMade: a slot does not know what commits between the
// first and the second wait of its creation, if a transaction that was older is still
// open at the second one. It would decode by the tables' old definitions: a new column is
// left out without a word, a new file is one that "could not be mapped".
func TestEndToEnd_AlteredWhileTheSlotIsMade(t *testing.T) {
	t.Parallel()
	from, _ := pgtest.Majors()
	const column, insertColumn = `ALTER TABLE altered ADD COLUMN extra int`, `INSERT INTO altered (id, extra) VALUES ($1, $1)`
	for name, c := range map[string]alteration{
		"column": {sql: column, insert: insertColumn},
		"file":   {sql: `TRUNCATE altered`, insert: `INSERT INTO altered VALUES ($1)`},
		"type":   {sql: `ALTER TYPE mood ADD VALUE 'new'`, insert: `INSERT INTO altered VALUES ($1, 'new')`},
		"schema": {
			sql: `ALTER PUBLICATION theirs ADD TABLES IN SCHEMA public`, insert: `INSERT INTO altered VALUES ($1)`,
			args: []string{"--publication", "theirs"}, onSource: true,
		},
		"killed": {sql: column, insert: insertColumn, killed: true},
	} {
		if name == "schema" && from < 15 {
			continue // such publications came with 15
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alteredWhileTheSlotIsMade(t, c)
		})
	}
}

// alteration is what happens while a slot is made, and what is written after it.
type alteration struct {
	sql, insert string
	args        []string
	// onSource reports that the target has nothing to alter.
	onSource bool
	// killed reports that walferry is killed when the slot is made.
	killed bool
}

func alteredWhileTheSlotIsMade(t *testing.T, c alteration) {
	t.Helper()
	from, to := pgtest.Majors()
	// Servers of its own: the creation of a slot waits for everybody's transactions.
	p := pair{
		target: pgtest.Start(t, to, nil).Database(t),
		source: pgtest.Start(t, from, nil).Database(t, `CREATE TYPE mood AS ENUM ('old'); CREATE TABLE altered (id int PRIMARY KEY, v mood);
			INSERT INTO altered SELECT i, 'old' FROM generate_series(1, 100) i; CREATE SCHEMA other; CREATE TABLE other.b (id int PRIMARY KEY);
			CREATE PUBLICATION theirs FOR TABLE other.b`),
	}
	migrate := p.args("migrate", c.args...)
	first, firstXID := open(t, p.source)
	m := start(t, migrate...)
	pgtest.Eventually(t, "the slot's creation waits", func() bool { return m.running() && p.slotWaits(t, firstXID) })
	second, secondXID := open(t, p.source)
	pgtest.Exec(t, p.source, c.sql)
	if !c.onSource {
		pgtest.Exec(t, p.target, c.sql) // the schema was moved before
	}
	commit(t, first)
	pgtest.Eventually(t, "the slot's creation waits again", func() bool { return m.running() && p.slotWaits(t, secondXID) })
	third, thirdXID := open(t, p.source)
	write := func(tx pgx.Tx, id int) {
		if _, err := tx.Exec(t.Context(), c.insert, id); err != nil {
			t.Fatal(err)
		}
	}
	write(third, 101)
	commit(t, second)
	// With what it knows, the slot is made; a second one waits for the third transaction.
	pgtest.Eventually(t, "the slot is made", func() bool { return m.running() && (p.slotWaits(t, thirdXID) || p.phase(t) == "streaming") })
	if c.killed { // with a slot that nothing says how to read
		m.kill()
		m = start(t, migrate...)
	}
	write(third, 102)
	commit(t, third)
	last, _ := open(t, p.source)
	write(last, 103)
	commit(t, last)
	pgtest.Eventually(t, "the changes are applied", func() bool {
		if !m.running() {
			t.Fatal("walferry ended in the stream")
		}
		return p.phase(t) == "streaming" && pgtest.Query(t, p.target, `SELECT count(*) FROM altered WHERE id > 100`)[0][0] == "3"
	})
	m.kill()
	p.finish(t)
}

// TestEndToEnd_AlteredSinceTheSchemaWasMoved stops in the copy, saying what to do, and goes on after.
func TestEndToEnd_AlteredSinceTheSchemaWasMoved(t *testing.T) {
	t.Parallel()
	p := simplePair(t, `CREATE TABLE altered (id int PRIMARY KEY)`, `INSERT INTO altered SELECT generate_series(1, 100)`)
	first, xid := open(t, p.source)
	m := start(t, p.args("migrate")...)
	pgtest.Eventually(t, "the slot's creation waits", func() bool { return m.running() && p.slotWaits(t, xid) })
	const column = `ALTER TABLE altered ADD COLUMN extra int DEFAULT 7`
	pgtest.Exec(t, p.source, column)
	commit(t, first)
	m.wait(1)
	if told := m.Stderr.String(); !strings.Contains(told, "make the same change on the target") {
		t.Errorf("no word of what to do: %s", told)
	}
	pgtest.Exec(t, p.target, column)
	p.finish(t)
}
