package applier_test

import (
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// TestApplier_TruncateIsPartOfItsTransaction: when what comes after it fails, the rows
// are still there.
func TestApplier_TruncateIsPartOfItsTransaction(t *testing.T) {
	t.Parallel()
	schema := `CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2)`
	r := newReplica(t, schema)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `BEGIN; TRUNCATE a; INSERT INTO a VALUES (3), (-4); COMMIT`)
	r.reset(t, schema, `ALTER TABLE a ADD CHECK (id > 0)`)
	if _, err := r.follow(t); err == nil {
		t.Fatal("no error")
	}
	if got := pgtest.Query(t, r.target, `SELECT string_agg(id::text, ' ' ORDER BY id) FROM a`)[0][0]; got != "1 2" {
		t.Errorf("the target holds %s, which no transaction left", got)
	}
}

// TestApplier_TruncateAfterDeferredChecks truncates tables with a unique constraint
// that the same target transaction has yet to check, where the role cannot switch
// constraints off. What comes after it is deferred again.
func TestApplier_TruncateAfterDeferredChecks(t *testing.T) {
	t.Parallel()
	schema := `
		CREATE TABLE a (id int PRIMARY KEY DEFERRABLE, u int UNIQUE DEFERRABLE INITIALLY DEFERRED);
		CREATE TABLE "B c" (id int, u int, CONSTRAINT "u's" UNIQUE (id, u) DEFERRABLE) PARTITION BY HASH (id);
		CREATE TABLE part PARTITION OF "B c" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
		ALTER TABLE a REPLICA IDENTITY FULL; ALTER TABLE part REPLICA IDENTITY FULL; ALTER TABLE "B c" REPLICA IDENTITY FULL;
		INSERT INTO a SELECT i, i FROM generate_series(1, 50) i; INSERT INTO "B c" SELECT i, i FROM generate_series(1, 50) i`
	r := newReplica(t, schema)
	r.session = "SET search_path = ''; SET timezone = 'UTC'"
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source,
		`UPDATE a SET u = 51 - u; UPDATE "B c" SET id = 51 - id, u = 51 - u`,
		`BEGIN; UPDATE a SET u = 51 - u; SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE a, "B c"; SET CONSTRAINTS ALL DEFERRED;
			INSERT INTO a VALUES (1, 1), (2, 2); UPDATE a SET u = 3 - u; INSERT INTO "B c" VALUES (7, 7); COMMIT`,
		`INSERT INTO a VALUES (4, 4)`, `TRUNCATE a`, `INSERT INTO a VALUES (5, 5), (6, 6)`, `UPDATE a SET u = 11 - u`)
	for _, setFrom := range []int{1 << 30, 1} {
		r.setFrom = setFrom
		r.reset(t, schema)
		r.mustFollow(t)
	}
}
