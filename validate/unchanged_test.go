package validate

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/pgtest"
)

// catalogs are what a database and its server hold, a line for each object.
const catalogs = `
	SELECT 'class', oid::text, relname || ' ' || relowner::text || ' ' || coalesce(relacl::text, '') || ' ' || relreplident::text || relpersistence::text || relhastriggers::text FROM pg_class WHERE relpersistence <> 't'
	UNION ALL SELECT 'attribute', attrelid || ' ' || attnum, attname::text || atttypid::text || attnotnull::text || attidentity::text || attgenerated::text || coalesce(attacl::text, '') FROM pg_attribute
	UNION ALL SELECT 'namespace', oid::text, nspname::text || coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%temp\_%'
	UNION ALL SELECT 'proc', oid::text, proname::text || proowner::text || coalesce(proacl::text, '') FROM pg_proc
	UNION ALL SELECT 'type', oid::text, typname::text || typowner::text FROM pg_type
	UNION ALL SELECT 'constraint', oid::text, conname::text || convalidated::text FROM pg_constraint
	UNION ALL SELECT 'index', indexrelid::text, indisvalid || ' ' || indisreplident FROM pg_index
	UNION ALL SELECT 'trigger', oid::text, tgname::text || tgenabled::text FROM pg_trigger
	UNION ALL SELECT 'rule', oid::text, rulename::text || ev_enabled::text FROM pg_rewrite
	UNION ALL SELECT 'extension', oid::text, extname::text || extversion FROM pg_extension
	UNION ALL SELECT 'collation', oid::text, collname::text || coalesce(collversion, '') FROM pg_collation
	UNION ALL SELECT 'sequence', seqrelid::text, seqstart::text FROM pg_sequence
	UNION ALL SELECT 'large object', oid::text, lomowner::text FROM pg_largeobject_metadata
	UNION ALL SELECT 'publication', oid::text, pubname::text || pubowner::text || pubinsert::text || pubupdate::text FROM pg_publication
	UNION ALL SELECT 'published', oid::text, prpubid || ' ' || prrelid FROM pg_publication_rel
	UNION ALL SELECT 'slot', slot_name::text, slot_type::text || coalesce(database::text, '') FROM pg_replication_slots WHERE database = current_database()
	UNION ALL SELECT 'database', oid::text, datname::text || datdba::text || datconnlimit::text || coalesce(datacl::text, '') FROM pg_database WHERE datname = current_database()
	UNION ALL SELECT 'setting', setdatabase || ' ' || setrole, setconfig::text FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
	UNION ALL SELECT 'depend', classid || ' ' || objid || ' ' || objsubid, refclassid || ' ' || refobjid::text || deptype::text FROM pg_depend
	ORDER BY 1, 2, 3`

// TestPreflight_ChangesNothing lets every probe do its work and compares the
// catalogs of both sides, and the sessions' settings, before and after.
func TestPreflight_ChangesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	pgtest.Exec(t, s.source, "CREATE EXTENSION pageinspect; SELECT lo_create(0); INSERT INTO orders SELECT n, 'x' FROM generate_series(2, 500) n; ANALYZE orders")
	name := role(t, s.target, "")
	pgtest.Exec(t, s.target, `GRANT CREATE ON DATABASE "`+database(t, s.target)+`" TO `+name+"; GRANT CREATE ON SCHEMA public TO "+name, aivenExtras)
	latin := encoded(t, s.target, "LATIN1") + "&client_encoding=UTF8"
	const session = "SELECT name, setting FROM pg_catalog.pg_settings WHERE context IN ('user', 'superuser') AND name NOT LIKE '%.%' ORDER BY 1"
	for _, target := range []string{s.target, pgtest.As(t, s.target, name), latin} {
		o := PreflightOptions{
			Source: connect(t, s.source), Target: connect(t, target), Method: Auto, Slot: "wanted", NewPublications: []string{"wanted"}, Measure: 20e6,
			ConnectReplication: func(ctx context.Context) (*pgconn.PgConn, error) {
				return pgconn.Connect(ctx, s.source+"&replication=database")
			},
		}
		admin := s.target
		if target == latin {
			admin = latin
		}
		settingsOf := func() (all []string) {
			for _, c := range []*server{{conn: o.Source}, {conn: o.Target}} {
				found, err := c.strings(t.Context(), "SELECT name || '=' || setting FROM ("+session+") s")
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, found...)
			}
			return all
		}
		before, settings := [][][]string{pgtest.Query(t, s.source, catalogs), pgtest.Query(t, admin, catalogs)}, settingsOf()
		report, err := Preflight(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for i, uri := range []string{s.source, admin} {
			after := pgtest.Query(t, uri, catalogs)
			if !slices.EqualFunc(before[i], after, slices.Equal) {
				t.Errorf("the catalog of side %d has changed", i)
				for _, row := range after {
					if !slices.ContainsFunc(before[i], func(o []string) bool { return slices.Equal(o, row) }) {
						t.Errorf("new: %v", row)
					}
				}
			}
		}
		for i, now := range settingsOf() {
			if now != settings[i] {
				t.Errorf("a session's setting was %s, is %s", settings[i], now)
			}
		}
		if report.find("source.copy_time", "public.orders") == nil {
			t.Errorf("nothing was measured: %+v", report.Findings)
		}
	}
}
