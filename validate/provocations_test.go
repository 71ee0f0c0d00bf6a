package validate

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/pgtest"
)

// provocation spoils a sound migration in one way.
type provocation struct {
	id, variant string
	provoke     func(s *scene) (object string, severity Severity)
}

func (p provocation) name() string { return strings.TrimSuffix(p.id+" "+p.variant, " ") }

// unprovoked are checks of what no server here can be made to show. Their tests
// are in facts_test.go.
var unprovoked = []string{"source.version", "source.minor_version", "source.output_plugin"}

var provocations = []provocation{
	{"source.pooler", "", func(s *scene) (string, Severity) {
		address := startPooler(s.t, s.source)
		s.source = through(s.t, s.source, address)
		return address, Error
	}},
	{"target.pooler", "", func(s *scene) (string, Severity) {
		address := startPooler(s.t, s.target)
		s.target = through(s.t, s.target, address)
		return address, Error
	}},
	{"source.standby", "", func(s *scene) (string, Severity) {
		s.source = s.standby()
		return "postgres", Error
	}},
	{"target.standby", "", func(s *scene) (string, Severity) {
		s.target = s.standby()
		return "postgres", Error
	}},
	{"source.wal_level", "", func(s *scene) (string, Severity) { s.poor(); return "wal_level", Error }},
	{"source.slots", "none", func(s *scene) (string, Severity) { s.poor(); return "max_replication_slots", Error }},
	{"source.walsenders", "none", func(s *scene) (string, Severity) { s.poor(); return "max_wal_senders", Error }},
	{"source.slot_retention", "", func(s *scene) (string, Severity) {
		s.poor()
		return "max_slot_wal_keep_size", Warning
	}},
	{"source.slot_retention", "idle", func(s *scene) (string, Severity) {
		s.poor()
		return "idle_replication_slot_timeout", Warning
	}},
	{"source.replication_right", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "")
		s.source = as(s.t, s.source, name)
		return name, Error
	}},
	{"source.replication_connection", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "")
		uri := as(s.t, s.source, name)
		s.o.ConnectReplication = func(ctx context.Context) error {
			c, err := pgconn.Connect(ctx, uri+"&replication=database")
			if err == nil {
				err = c.Close(ctx)
			}
			return err
		}
		return "postgres", Error
	}},
	{"source.slot_name", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "SELECT pg_create_logical_replication_slot('taken', 'pgoutput')")
		s.o.Slot = "taken"
		return "taken", Error
	}},
	{"source.publication_name", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, `CREATE PUBLICATION "Taken"`)
		s.o.NewPublications = []string{"free", "Taken"}
		return "Taken", Error
	}},
	{"source.publications", "missing", func(s *scene) (string, Severity) {
		s.o.Publications = []string{"missing"}
		return "missing", Error
	}},
	{"source.publications", "empty", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE PUBLICATION vacant")
		s.o.Publications = []string{"vacant"}
		return "vacant", Warning
	}},
	{"source.old_transactions", "", func(s *scene) (string, Severity) {
		c := pgtest.Connect(s.t, s.source)
		if _, err := c.PgConn().Exec(s.t.Context(), "BEGIN; SELECT txid_current()").ReadAll(); err != nil {
			s.t.Fatal(err)
		}
		pgtest.Eventually(s.t, "the transaction is old", func() bool {
			report := s.preflight()
			return len(report.Findings) > 0 && report.find("source.old_transactions", database(s.t, s.source)) != nil
		})
		return database(s.t, s.source), Warning
	}},
	{"source.prepared_transactions", "", func(s *scene) (string, Severity) {
		name := database(s.t, s.source)
		pgtest.Exec(s.t, s.source, "BEGIN; UPDATE orders SET note = 'two'; PREPARE TRANSACTION '"+name+"'")
		uri := s.source
		s.t.Cleanup(func() {
			ctx := context.WithoutCancel(s.t.Context())
			c, err := pgx.Connect(ctx, uri)
			if err == nil {
				_, err = c.Exec(ctx, "ROLLBACK PREPARED '"+name+"'")
				_ = c.Close(ctx)
			}
			if err != nil {
				s.t.Error(err)
			}
		})
		return name, Warning
	}},
	{"source.create_publication", "", func(s *scene) (string, Severity) {
		s.source = as(s.t, s.source, role(s.t, s.source, "REPLICATION"))
		return database(s.t, s.source), Error
	}},
	{"source.table_owner", "", func(s *scene) (string, Severity) {
		s.source = as(s.t, s.source, role(s.t, s.source, "REPLICATION"))
		return "public.orders", Error
	}},
	{"source.select", "", func(s *scene) (string, Severity) {
		s.source = as(s.t, s.source, role(s.t, s.source, "REPLICATION"))
		return "public.orders", Error
	}},
	{"source.select", "schema", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "REPLICATION")
		pgtest.Exec(s.t, s.source, "CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int PRIMARY KEY); GRANT SELECT ON hidden.t, orders TO "+name)
		s.source = as(s.t, s.source, name)
		return "hidden.t", Error
	}},
	{"source.row_security", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "REPLICATION")
		pgtest.Exec(s.t, s.source, "GRANT SELECT ON orders TO "+name+"; ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
		s.source = as(s.t, s.source, name)
		return "public.orders", Error
	}},
	{"source.row_security", "forced", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "REPLICATION")
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders OWNER TO "+name+"; ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders FORCE ROW LEVEL SECURITY")
		s.source = as(s.t, s.source, name)
		return "public.orders", Error
	}},
	{"source.size", "", func(s *scene) (string, Severity) {
		s.o.MaxTotalBytes = 100
		return database(s.t, s.source), Error
	}},
	{"source.identity", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, `CREATE TABLE "Key less" (id int)`)
		return "public.Key less", Warning
	}},
	{"source.identity", "deferrable key", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE)")
		return "public.deferred", Warning
	}},
	{"source.unlogged", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE UNLOGGED TABLE cache (id int)")
		return "public.cache", Warning
	}},
	{"source.large_objects", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "SELECT lo_create(0)")
		return database(s.t, s.source), Warning
	}},
	{"source.sequences", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE SEQUENCE numbers")
		return database(s.t, s.source), Info
	}},
	{"source.foreign_tables", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER elsewhere FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE remote (id int) SERVER elsewhere")
		return "public.remote", Info
	}},
	{"source.materialized_views", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE MATERIALIZED VIEW sums AS SELECT count(*) FROM orders")
		return "public.sums", Info
	}},
	{"target.version", "", func(s *scene) (string, Severity) {
		s.target = pgtest.Server(s.t, 13).Database(s.t)
		return "13", Error
	}},
	{"target.same_server", "same database", func(s *scene) (string, Severity) {
		s.target = s.source
		return database(s.t, s.source), Error
	}},
	{"target.read_only", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.target, `ALTER DATABASE "`+database(s.t, s.target)+`" SET default_transaction_read_only = on`)
		return database(s.t, s.target), Error
	}},
	{"target.encoding", "too small", func(s *scene) (string, Severity) {
		s.target = encoded(s.t, s.target, "LATIN1")
		return "LATIN1", Warning
	}},
	{"target.encoding", "unknown source", func(s *scene) (string, Severity) {
		s.source = encoded(s.t, s.source, "SQL_ASCII")
		return "UTF8", Warning
	}},
	{"target.extensions", "not available", func(s *scene) (string, Severity) {
		// An extension cannot be installed without its files, so the catalog is made to say so.
		pgtest.Exec(s.t, s.source, "UPDATE pg_extension SET extname = 'unheard_of' WHERE extname = 'plpgsql'")
		return "unheard_of", Error
	}},
	{"target.extensions", "other version", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE EXTENSION pg_trgm; UPDATE pg_extension SET extversion = '0.0' WHERE extname = 'pg_trgm'")
		return "pg_trgm", Warning
	}},
	{"target.extensions", "needs superuser", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE EXTENSION pageinspect")
		s.target = as(s.t, s.target, role(s.t, s.target, ""))
		return "pageinspect", Warning
	}},
	{"target.create", "", func(s *scene) (string, Severity) {
		s.target = as(s.t, s.target, role(s.t, s.target, ""))
		return database(s.t, s.target), Error
	}},
	{"target.triggers", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.target, "")
		s.target = as(s.t, s.target, name)
		return name, Info
	}},
	{"target.tables", "", func(s *scene) (string, Severity) {
		s.o.NoSchema = true
		return "public.orders", Error
	}},
	{"target.columns", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.target, "CREATE TABLE orders (id int, note text GENERATED ALWAYS AS ('x') STORED)")
		return "public.orders", Error
	}},
	{"target.table_rights", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.target, "CREATE TABLE orders (id int, note text)")
		s.target = as(s.t, s.target, role(s.t, s.target, ""))
		return "public.orders", Error
	}},
	{"target.rows", "", func(s *scene) (string, Severity) { s.filled(); return "public.orders", Error }},
	{"target.rows", "append", func(s *scene) (string, Severity) {
		s.filled()
		s.o.IfNotEmpty = Append
		return "public.orders", Warning
	}},
	{"target.rows", "truncate", func(s *scene) (string, Severity) {
		s.filled()
		s.o.IfNotEmpty = Truncate
		return "public.orders", Warning
	}},
}

func database(t *testing.T, uri string) string {
	t.Helper()
	return pgtest.Query(t, uri, "SELECT current_database()")[0][0]
}

// encoded creates a database of that encoding beside the one of uri.
func encoded(t *testing.T, uri, encoding string) string {
	t.Helper()
	name := database(t, uri) + "_" + strings.ToLower(encoding)
	pgtest.Exec(t, uri, "CREATE DATABASE "+name+" ENCODING '"+encoding+"' LOCALE 'C' TEMPLATE template0")
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = name
	return u.String()
}

func (s *scene) filled() {
	pgtest.Exec(s.t, s.target, "CREATE TABLE orders (id int, note text); INSERT INTO orders VALUES (7, 'seven')")
}

// poor makes the source a server that can do nothing of what replication needs.
func (s *scene) poor() {
	if s.servers.poor == nil {
		s.servers.poor = pgtest.Start(s.servers.t, 18, map[string]string{
			"wal_level": "replica", "max_wal_senders": "0", "max_replication_slots": "0",
			"max_slot_wal_keep_size": "1GB", "idle_replication_slot_timeout": "1h",
		})
	}
	s.source = s.servers.poor.URI("postgres")
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
