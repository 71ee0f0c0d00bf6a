package engine_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
)

// TestEndToEnd_FailedPreparation leaves nothing on the source, and the repaired command works.
func TestEndToEnd_FailedPreparation(t *testing.T) {
	t.Parallel()
	const table = `CREATE TABLE t (id int PRIMARY KEY, v kind); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i`
	t.Run("a slot that cannot be made", func(t *testing.T) {
		t.Parallel()
		p := simplePair(t, `CREATE TYPE kind AS ENUM ('x')`, table)
		failed := run(t, 1, p.args("migrate", "--slot", "Not A Slot")...)
		if !strings.Contains(failed.Stderr.String(), "Not A Slot") {
			t.Errorf("the error does not name the slot:\n%s", failed.Stderr.String())
		}
		p.nothingLeft(t)
		run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication", "--slot", "a_slot")...)
		pgtest.Compare(t, p.source, p.target)
	})
	t.Run("a schema that cannot be restored", func(t *testing.T) {
		t.Parallel()
		const unseen = `CREATE TEXT SEARCH CONFIGURATION public.words (COPY = pg_catalog.simple)` // by a preflight
		p := simplePair(t, `CREATE TYPE kind AS ENUM ('x')`, table, unseen)
		pgtest.Exec(t, p.target, unseen)
		failed := run(t, 1, p.args("migrate")...)
		for _, want := range []string{"public.words", "23505", "detail: "} {
			if !strings.Contains(failed.Stderr.String(), want) {
				t.Errorf("the error does not say %q:\n%s", want, failed.Stderr.String())
			}
		}
		p.nothingLeft(t)
		pgtest.Exec(t, p.target, `DROP TEXT SEARCH CONFIGURATION public.words`)
		run(t, 0, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
		pgtest.Compare(t, p.source, p.target)
	})
}

// TestEndToEnd_Snapshot copies once into tables with keys and triggers, by a role
// that may not silence them, and leaves nothing but the rows.
func TestEndToEnd_Snapshot(t *testing.T) {
	t.Parallel()
	const schema = `
		CREATE TABLE child (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int NOT NULL, note text);
		CREATE TABLE parent (id int PRIMARY KEY, next int REFERENCES parent);
		ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent ON DELETE CASCADE;
		CREATE TABLE audit (id serial PRIMARY KEY, what text);
		CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO public.audit (what) VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
		CREATE TRIGGER audit AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION audit();
		ALTER TABLE child ENABLE ALWAYS TRIGGER audit`
	p := simplePair(t, schema, `INSERT INTO parent SELECT i, nullif(i - 1, 0) FROM generate_series(1, 500) i`,
		`INSERT INTO child (parent, note) SELECT 1 + i % 500, 'n' FROM generate_series(1, 2000) i`)
	pgtest.Exec(t, p.target, `CREATE ROLE mover LOGIN`, `GRANT ALL ON SCHEMA public TO mover`,
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO mover', current_database()); END $$`)
	p.target = pgtest.As(t, p.target, "mover")
	pgtest.Exec(t, p.target, schema)
	describe := `SELECT string_agg(o, ', ' ORDER BY o) FROM (
		SELECT conname || ' ' || convalidated || ' ' || pg_get_constraintdef(oid) o FROM pg_constraint WHERE contype = 'f'
		UNION ALL SELECT tgname || ' ' || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT attname || ' ' || attidentity::text FROM pg_attribute WHERE attidentity <> '') s`
	before := pgtest.Query(t, p.target, describe)[0][0]
	run(t, 0, p.args("snapshot")...)
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{})
	if after := pgtest.Query(t, p.target, describe)[0][0]; after != before {
		t.Errorf("keys, triggers and identity are not as before:\n%s\n%s", before, after)
	}
	if got := pgtest.Query(t, p.target, `SELECT count(*) FROM pg_namespace WHERE nspname = 'walferry'`)[0][0]; got != "0" {
		t.Error("the schema walferry is left")
	}
	p.nothingLeft(t)
}

// TestEndToEnd_Dump moves everything in one consistent copy, without a slot.
func TestEndToEnd_Dump(t *testing.T) {
	p := newPair(t, 1)
	run(t, 0, p.args("migrate", "--method", "dump")...)
	p.finished(t)
}
