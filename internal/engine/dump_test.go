package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
)

const dumpedSQL = `
	CREATE TABLE a (id int PRIMARY KEY, b int);
	CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a DEFERRABLE);
	ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE INITIALLY DEFERRED;
	CREATE TABLE log (id int, what text);
	CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (new.id, 'noted'); RETURN new; END $$;
	CREATE TRIGGER noting AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION noted();
	CREATE UNLOGGED TABLE cache (id int);
	CREATE MATERIALIZED VIEW mv AS SELECT count(*) AS n FROM a;
	CREATE TABLE docs (id serial PRIMARY KEY, body oid);
	BEGIN; INSERT INTO a SELECT g, g FROM generate_series(1, 1000) g; INSERT INTO b SELECT g, g FROM generate_series(1, 1000) g; COMMIT;
	INSERT INTO cache SELECT generate_series(1, 10); REFRESH MATERIALIZED VIEW mv`

// TestEndToEnd_DumpIsExact copies, without a slot and while the source is written,
// what one snapshot shows: circular foreign keys, tables that triggers write to,
// large objects, unlogged tables and materialized views.
func TestEndToEnd_DumpIsExact(t *testing.T) {
	t.Parallel()
	p := simplePair(t, dumpedSQL)
	ctx, cancel := context.WithCancel(t.Context())
	conn := pgtest.Connect(t, p.source)
	done := make(chan error, 1)
	go func() {
		for i := 2000; ; i++ {
			err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO a VALUES ($1, $1)`, i); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `INSERT INTO b VALUES ($1, $1)`, i); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `INSERT INTO docs (body) VALUES (lo_from_bytea(0, $1))`, []byte("document"))
				return err
			})
			if err != nil {
				if ctx.Err() != nil {
					err = nil
				}
				done <- err
				return
			}
		}
	}()
	pgtest.Eventually(t, "the source is written", func() bool { return pgtest.Query(t, p.source, `SELECT count(*) > 100 FROM docs`)[0][0] == "t" })
	run(t, 0, p.args("migrate", "--method", "dump")...)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got := pgtest.Query(t, p.target, `SELECT
		(SELECT count(*) FROM a) = (SELECT count(*) FROM b) AND (SELECT count(*) FROM a) = (SELECT count(*) FROM log)
			AND (SELECT count(*) FROM a) = 1000 + (SELECT count(*) FROM docs),
		(SELECT count(*) FROM docs WHERE lo_get(body) = 'document') = (SELECT count(*) FROM pg_largeobject_metadata),
		(SELECT count(*) FROM cache), (SELECT n FROM mv) = (SELECT count(*) FROM a),
		(SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND connamespace = 'public'::regnamespace), (SELECT count(*) FROM pg_trigger WHERE tgname = 'noting'),
		(SELECT count(*) > 100 FROM docs), (SELECT nextval('docs_id_seq') > max(id) FROM docs)`)[0]
	for i, want := range []string{"t", "t", "10", "t", "2", "1", "t", "t"} {
		if got[i] != want {
			t.Errorf("answer %d is %s, want %s", i, got[i], want)
		}
	}
	if n := pgtest.Query(t, p.source, `SELECT count(*) FROM pg_replication_slots WHERE database = current_database()`)[0][0]; n != "0" {
		t.Errorf("%s slots on the source", n)
	}
}

const filteredSQL = `
	CREATE SCHEMA app; CREATE SCHEMA other; CREATE SCHEMA "Empty"; CREATE SCHEMA types;
	CREATE TYPE types.mood AS ENUM ('good', 'bad');
	CREATE FUNCTION types.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
	CREATE EXTENSION citext SCHEMA types; CREATE EXTENSION pgcrypto SCHEMA types;
	CREATE TABLE other.users (id serial PRIMARY KEY, name text);
	CREATE TABLE app.orders (id bigserial PRIMARY KEY, mood types.mood, email types.citext, usr int REFERENCES other.users);
	CREATE INDEX by_mood ON app.orders (mood);
	CREATE TRIGGER noting BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION types.noted();
	CREATE TABLE app.items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ord bigint REFERENCES app.orders);
	CREATE TABLE app.secret (id serial PRIMARY KEY);
	CREATE VIEW app.both AS SELECT o.id, s.id AS sid FROM app.orders o, app.secret s;
	CREATE VIEW app.one AS SELECT id FROM app.orders;
	INSERT INTO other.users (name) VALUES ('u'); INSERT INTO app.orders (mood, email, usr) VALUES ('good', 'A', 1);
	INSERT INTO app.items (ord) VALUES (1); INSERT INTO app.secret DEFAULT VALUES`

// TestEndToEnd_FilterChoosesSchemaToo moves of the schema what the chosen tables
// need and what belongs to them, and names what had to be left out.
func TestEndToEnd_FilterChoosesSchemaToo(t *testing.T) {
	t.Parallel()
	const objects = `SELECT coalesce(string_agg(o, ' ' ORDER BY o), '') FROM (
		SELECT relnamespace::regnamespace || '.' || relname AS o FROM pg_class WHERE relkind IN ('r', 'v', 'S')
			AND relnamespace::regnamespace::text IN ('app', 'other', 'types', 'public')
		UNION ALL SELECT 'extension ' || extname FROM pg_extension WHERE extname <> 'plpgsql'
		UNION ALL SELECT 'key ' || conname FROM pg_constraint WHERE contype = 'f' AND connamespace <> 'walferry'::regnamespace
		UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'Empty') s`
	for _, c := range []struct {
		name       string
		args       []string
		want, told string
		rows       string
	}{
		{
			"one table",
			[]string{"--table", "app.orders"},
			"app.orders app.orders_id_seq extension citext trigger noting",
			`FK CONSTRAINT app.orders orders_usr_fkey: it needs `, "1",
		},
		{
			"two tables",
			[]string{"--table", "app.orders", "--table", "items"},
			"app.items app.items_id_seq app.orders app.orders_id_seq extension citext key items_ord_fkey trigger noting",
			`FK CONSTRAINT app.orders orders_usr_fkey`, "1",
		},
		{
			"a schema",
			[]string{"--schema", "app", "--exclude-table", "secret"},
			"app.items app.items_id_seq app.one app.orders app.orders_id_seq extension citext key items_ord_fkey trigger noting",
			`FK CONSTRAINT app.orders orders_usr_fkey`, "1",
		},
		{
			"exclusions",
			[]string{"--exclude-table", "app.secret", "--exclude-schema", "other"},
			"app.items app.items_id_seq app.one app.orders app.orders_id_seq extension citext extension pgcrypto key items_ord_fkey schema Empty trigger noting",
			`VIEW app.both: it needs TABLE "app.secret", which was not chosen`, "1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			from, to := pgtest.Majors()
			p := pair{source: pgtest.Server(t, from).Database(t, filteredSQL), target: pgtest.Server(t, to).Database(t)}
			args := append([]string{"--no-roles", "--max-replication-lag", "0", "--stop-replication"}, c.args...)
			out := run(t, 0, p.args("migrate", args...)...)
			if got := pgtest.Query(t, p.target, objects)[0][0]; got != c.want {
				t.Errorf("objects\n%s, want\n%s", got, c.want)
			}
			if s := out.Stdout.String(); !strings.Contains(s, c.told) {
				t.Errorf("the summary lacks %q: %s", c.told, s)
			}
			if s := out.Stdout.String(); strings.Contains(s, `it needs TABLE "app.items"`) {
				t.Errorf("the summary tells of what was not chosen: %s", s)
			}
			if got := pgtest.Query(t, p.target, `SELECT count(*) FROM app.orders`)[0][0]; got != c.rows {
				t.Errorf("%s rows", got)
			}
		})
	}
}
