package proof_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// The events are the changes that need more than a row by its key.
const eventsSchema = `
	CREATE SCHEMA events;
	CREATE TABLE events.unique_pair (id int PRIMARY KEY, a int UNIQUE, b int UNIQUE);
	INSERT INTO events.unique_pair SELECT i, i, i FROM generate_series(1, 20) i;
	CREATE TABLE events.wide (id int PRIMARY KEY, filler text);
	ALTER TABLE events.wide ALTER filler SET STORAGE EXTERNAL;
	CREATE TABLE events.toast (id int PRIMARY KEY, kept text, n int);
	ALTER TABLE events.toast ALTER kept SET STORAGE EXTERNAL;
	INSERT INTO events.toast SELECT i, repeat('t', 4000), 0 FROM generate_series(1, 20) i;
	CREATE TABLE events.shifted (id int PRIMARY KEY, kept text, n int);
	ALTER TABLE events.shifted ALTER kept SET STORAGE EXTERNAL;
	INSERT INTO events.shifted SELECT i, repeat('s', 3000), 0 FROM generate_series(1, 200) i;
	CREATE TABLE events.nokey (a int, b text);
	ALTER TABLE events.nokey REPLICA IDENTITY FULL;
	INSERT INTO events.nokey SELECT i % 3, 'equal' FROM generate_series(1, 30) i;
	CREATE TABLE events.truncated_a (id int PRIMARY KEY);
	CREATE TABLE events.truncated_b (id int PRIMARY KEY REFERENCES events.truncated_a);
	INSERT INTO events.truncated_a VALUES (1), (2);
	INSERT INTO events.truncated_b VALUES (1);`

// events happen once in each scene's stream.
var events = []string{
	// Values that move between rows: as sets, they are in each other's way.
	`BEGIN; UPDATE events.unique_pair SET a = 100 WHERE id = 1; UPDATE events.unique_pair SET a = 1 WHERE id = 2;
		UPDATE events.unique_pair SET a = 2 WHERE id = 1; DELETE FROM events.unique_pair WHERE id = 5;
		INSERT INTO events.unique_pair VALUES (105, 5, 5); COMMIT`,
	// A key change beside a value that is left alone, and chains of them.
	`BEGIN; UPDATE events.toast SET id = 101 WHERE id = 1; UPDATE events.toast SET n = 1 WHERE id = 101;
		UPDATE events.toast SET id = 1 WHERE id = 2; INSERT INTO events.toast VALUES (300, repeat('u', 5000), 1);
		UPDATE events.toast SET n = 2 WHERE id = 300; UPDATE events.toast SET n = n + 1; COMMIT`,
	// The same for enough rows to be written as a set.
	`BEGIN; INSERT INTO events.shifted SELECT i, repeat('i', 3000), 0 FROM generate_series(301, 500) i;
		UPDATE events.shifted SET n = n + 1; COMMIT`,
	`UPDATE events.shifted SET id = id + 1000`,
	`BEGIN; DELETE FROM events.nokey WHERE ctid = (SELECT min(ctid) FROM events.nokey); UPDATE events.nokey SET b = 'other'
		WHERE ctid = (SELECT min(ctid) FROM events.nokey); COMMIT`,
	`BEGIN; INSERT INTO events.truncated_a VALUES (3); TRUNCATE events.truncated_a, events.truncated_b;
		INSERT INTO events.truncated_a VALUES (7); INSERT INTO events.truncated_b VALUES (7); COMMIT`,
	// Larger than what is kept in memory while it is streamed, half of it rolled back.
	`BEGIN; INSERT INTO events.wide SELECT i, repeat('w', 1000000) FROM generate_series(1, 36) i; SAVEPOINT s;
		INSERT INTO events.wide SELECT i, repeat('x', 1000000) FROM generate_series(101, 110) i; ROLLBACK TO s;
		INSERT INTO events.wide VALUES (200, 'after'); COMMIT`,
	// A rollback that the source does not send when it has streamed what is rolled back.
	`BEGIN; INSERT INTO events.wide SELECT 205, repeat('v', 20000); SAVEPOINT s;
		INSERT INTO events.wide SELECT 206, repeat('x', 9000000); ROLLBACK TO s;
		INSERT INTO events.wide VALUES (207, 'after'); COMMIT`,
	`BEGIN; INSERT INTO events.wide VALUES (201, 'prepared'); PREPARE TRANSACTION '%s'`,
	`COMMIT PREPARED '%s'`,
}

// happen lets the events happen.
func (s scene) happen(t *testing.T) {
	t.Helper()
	name := pgtest.Query(t, s.source, "SELECT current_database()")[0][0]
	for _, sql := range events {
		pgtest.Exec(t, s.source, strings.ReplaceAll(sql, "%s", name))
	}
}

// TestEvents_EndEqual applies nothing but the events.
func TestEvents_EndEqual(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	s := servers.scene(t)
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	s.happen(t)
	finishMigration(t, s)
	s.equal(t, true)
}
