package target_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/target"
)

const acting = `
	CREATE SCHEMA "odd Schema";
	CREATE TABLE plain (id int PRIMARY KEY, self int REFERENCES plain, gone int);
	CREATE TABLE "odd Schema"."Child" (id bigint GENERATED ALWAYS AS IDENTITY, parent int);
	ALTER TABLE "odd Schema"."Child" ADD CONSTRAINT "odd ""key" FOREIGN KEY (parent) REFERENCES plain ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
	ALTER TABLE "odd Schema"."Child" ADD CONSTRAINT unchecked FOREIGN KEY (parent) REFERENCES plain NOT VALID;
	CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
	CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
	CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
	ALTER TABLE parts ADD FOREIGN KEY (id) REFERENCES plain;
	CREATE TABLE outside (id int, plain int REFERENCES plain);
	CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'it acts'; END $$;
	CREATE TRIGGER origin BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION act();
	CREATE TRIGGER "always" BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION act();
	ALTER TABLE plain ENABLE ALWAYS TRIGGER "always";
	CREATE TRIGGER replica BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION act();
	ALTER TABLE plain ENABLE REPLICA TRIGGER replica;
	CREATE TRIGGER off BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION act();
	ALTER TABLE plain DISABLE TRIGGER off;
	CREATE TRIGGER copied AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION act();
	CREATE RULE away AS ON INSERT TO parts_low DO INSTEAD NOTHING;
	ALTER TABLE parts_low ENABLE ALWAYS RULE away`

// whatActs describes every foreign key, trigger, rule and identity column.
const whatActs = `SELECT string_agg(o, E'\n' ORDER BY o) FROM (
	SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) o FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace::regnamespace::text <> 'walferry'
	UNION ALL SELECT tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text FROM pg_trigger WHERE tgname IN ('origin', 'always', 'replica', 'off', 'copied')
	UNION ALL SELECT ev_class::regclass || ' ' || rulename || ' ' || ev_enabled::text FROM pg_rewrite WHERE rulename = 'away'
	UNION ALL SELECT attrelid::regclass || ' ' || attname || ' ' || attidentity::text FROM pg_attribute WHERE attidentity <> '') s`

// TestTakeDownObjects silences everything for an ordinary owner, and restores
// exactly what was there, also when it is called twice.
func TestTakeDownObjects(t *testing.T) {
	t.Parallel()
	for _, major := range []int{13, 15, 18} {
		uri := pgtest.Server(t, major).Database(t, acting)
		before := pgtest.Query(t, uri, whatActs)[0][0]
		conn := connect(t, uri)
		m := migration(t, conn, "default")
		var oids []uint32
		err := conn.QueryRow(t.Context(), `SELECT array_agg(r::regclass::oid) FROM unnest(ARRAY[
			'public.plain', '"odd Schema"."Child"', 'public.parts_low', 'public.parts_high']) r`).Scan(&oids)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := target.TakeDownObjects(t.Context(), conn, m.Name, target.TakeDown, oids); err != nil {
				t.Fatal(err)
			}
		}
		down := pgtest.Query(t, uri, whatActs)[0][0]
		for line := range strings.SplitSeq(down, "\n") {
			if strings.Contains(line, "FOREIGN KEY") || strings.HasSuffix(line, " a") ||
				!strings.HasSuffix(line, " D") && !strings.HasSuffix(line, " d") && !strings.HasPrefix(line, "parts copied") {
				t.Errorf("%d: still acting: %s", major, line)
			}
		}
		pgtest.Exec(t, uri, `INSERT INTO plain VALUES (1, 99, NULL)`, `INSERT INTO "odd Schema"."Child" (id, parent) VALUES (5, 77)`,
			`UPDATE "odd Schema"."Child" SET id = 6`, `INSERT INTO parts_low VALUES (1, '2024-01-01')`,
			`INSERT INTO parts_high VALUES (1, '2026-01-01')`, `DELETE FROM plain; DELETE FROM "odd Schema"."Child"; DELETE FROM parts`)
		r := target.Restorer{Migration: m.Name, Jobs: 1, Connect: connectTo(uri)}
		if err := r.Run(t.Context(), schema.Finish); err != nil {
			t.Fatal(err)
		}
		sides := cutover.Sides{Target: conn, Migration: m.Name}
		if _, broken, err := sides.ValidateKeys(t.Context(), cutover.Real{}); err != nil || len(broken) > 0 {
			t.Fatalf("%v, %v", broken, err)
		}
		if after := pgtest.Query(t, uri, whatActs)[0][0]; after != before {
			t.Errorf("%d: before\n%s\nafter\n%s", major, before, after)
		}
	}
}

// TestTakeDownObjects_ByReplicaRole leaves what the role silences, but for identity columns.
func TestTakeDownObjects_ByReplicaRole(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, 15).Database(t, acting)
	conn := connect(t, uri)
	m := migration(t, conn, "default")
	if rung, err := target.FindRung(t.Context(), conn); err != nil || rung != target.Replica {
		t.Fatalf("rung %q, %v", rung, err)
	}
	var oid uint32
	if err := conn.QueryRow(t.Context(), `SELECT '"odd Schema"."Child"'::regclass::oid`).Scan(&oid); err != nil {
		t.Fatal(err)
	}
	if err := target.TakeDownObjects(t.Context(), conn, m.Name, target.Replica, []uint32{oid}); err != nil {
		t.Fatal(err)
	}
	entries, err := target.PendingEntries(t.Context(), conn, m.Name, schema.Finish)
	if err != nil || len(entries) != 1 || entries[0].Kind != "IDENTITY STATE" {
		t.Errorf("%v, %v", entries, err)
	}
}

func connectTo(uri string) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := pgx.Connect(ctx, uri)
		if err != nil {
			return nil, err
		}
		return conn, schema.Prepare(ctx, conn)
	}
}
