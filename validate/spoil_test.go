package validate

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/sqltext"
)

func database(t *testing.T, uri string) string {
	t.Helper()
	return pgtest.Query(t, uri, "SELECT current_database()")[0][0]
}

// encoded creates a database of that encoding beside the one of uri.
func encoded(t *testing.T, uri, encoding string) string {
	t.Helper()
	return beside(t, uri, strings.ToLower(encoding), "ENCODING '"+encoding+"' LOCALE 'C' TEMPLATE template0")
}

// maintenanceOf is the database postgres of the same server: nobody may be in a
// database that is a template.
func maintenanceOf(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "postgres"
	return u.String()
}

func beside(t *testing.T, uri, suffix, options string) string {
	t.Helper()
	name := database(t, uri) + "_" + suffix
	maintenance := maintenanceOf(t, uri)
	pgtest.Exec(t, maintenance, `CREATE DATABASE "`+name+`" `+options)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		c, err := pgx.Connect(ctx, maintenance)
		if err == nil {
			_, err = c.Exec(ctx, `DROP DATABASE "`+name+`" WITH (FORCE)`)
			_ = c.Close(ctx)
		}
		if err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = name
	return u.String()
}

// aivenExtras is what the extension of that name lets its users do.
const aivenExtras = `CREATE SCHEMA aiven_extras; GRANT USAGE ON SCHEMA aiven_extras TO PUBLIC;
	CREATE FUNCTION aiven_extras.session_replication_role(role text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
	AS $$BEGIN EXECUTE format('SET SESSION session_replication_role = %I', role); RETURN role; END$$`

const trigger = `CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER watch BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION watch()`

// dress lets a server say something else of a setting, to connections to that
// database: what it says of itself, it says in a view.
func (s *scene) dress(uri, setting, value string) {
	s.t.Helper()
	name, v := sqltext.Literal(setting), sqltext.Literal(value)
	view := pgtest.Query(s.t, uri, "SELECT pg_get_viewdef('pg_catalog.pg_settings'::regclass)")[0][0]
	view = strings.TrimSuffix(strings.TrimSpace(view), ";")
	const rest = "unit, category, short_desc, extra_desc, context, vartype, source, min_val, max_val, ARRAY[%[2]s] AS enumvals, boot_val, reset_val, sourcefile, sourceline, pending_restart"
	pgtest.Exec(s.t, uri, "SET allow_system_table_mods = on; CREATE OR REPLACE VIEW pg_catalog.pg_settings AS "+
		"WITH before AS ("+view+") SELECT * FROM before WHERE name <> "+name+
		" UNION ALL SELECT "+name+", "+v+", "+fmt.Sprintf(rest, name, v)+" FROM before WHERE name = (SELECT coalesce((SELECT name FROM before WHERE name = "+name+"), 'port'))")
}

// pooled puts a PgBouncer in front of the server of uri.
func (s *scene) pooled(uri string) string {
	s.t.Helper()
	port, _ := pgtest.Server(s.t, 15).PgBouncer(s.t, "bookworm", "session")
	return through(s.t, uri, fmt.Sprintf("127.0.0.1:%d", port))
}

func host(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// located creates a database with that locale beside the one of uri, and drops it.
func located(t *testing.T, uri, locale string) string {
	t.Helper()
	return beside(t, uri, "other", "LOCALE '"+locale+"' TEMPLATE template0")
}

// inPlace puts a table of the source into a new tablespace.
func (s *scene) inPlace(name string) {
	uri := s.source
	c := pgtest.Connect(s.t, uri)
	for _, sql := range []string{"SET allow_in_place_tablespaces = on", "CREATE TABLESPACE " + name + " LOCATION ''", "CREATE TABLE elsewhere (id int PRIMARY KEY) TABLESPACE " + name} {
		if _, err := c.Exec(s.t.Context(), sql); err != nil {
			s.t.Fatal(err)
		}
	}
	s.t.Cleanup(func() {
		ctx := context.WithoutCancel(s.t.Context())
		c, err := pgx.Connect(ctx, uri)
		if err != nil {
			s.t.Error(err)
			return
		}
		for _, sql := range []string{"DROP TABLE elsewhere", "DROP TABLESPACE " + name} {
			if _, err := c.Exec(ctx, sql); err != nil {
				s.t.Error(err)
			}
		}
		_ = c.Close(ctx)
	})
}

func (s *scene) filled() {
	pgtest.Exec(s.t, s.target, "CREATE TABLE orders (id int, note text); INSERT INTO orders VALUES (7, 'seven')")
}

// poor makes the source a server that can do nothing of what replication needs.
func (s *scene) poor() {
	if s.servers.poor == nil {
		s.servers.poor = pgtest.Start(s.servers.t, 18, map[string]string{
			"wal_level": "replica", "max_wal_senders": "0", "max_replication_slots": "0",
			"max_slot_wal_keep_size": "1GB", "idle_replication_slot_timeout": "1h", "max_locks_per_transaction": "10",
		})
	}
	s.source = s.servers.poor.URI("postgres")
}

// manyTables makes empty tables, some at a time.
func manyTables(n int) string {
	return fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('CREATE TABLE many%%s ()', i);
		IF i %% 100 = 0 THEN COMMIT; END IF; END LOOP; END $$`, n)
}

// standby returns the address of a server that waits for a primary.
func (s *scene) standby() string {
	if s.servers.standby == nil {
		t := s.servers.t
		c := pgtest.Start(t, 15, nil)
		err := c.Halt(t.Context(), false)
		if err == nil {
			err = os.WriteFile(filepath.Join(c.DataDir(), "standby.signal"), nil, 0o644)
		}
		if err == nil {
			err = c.Resume(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		s.servers.standby = c
	}
	return s.servers.standby.URI("postgres")
}
