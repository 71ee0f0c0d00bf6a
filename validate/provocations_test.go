package validate

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/schema"
)

// provocation spoils a sound migration in one way.
type provocation struct {
	id, variant string
	provoke     func(s *scene) (object string, severity Severity)
}

func (p provocation) name() string { return strings.TrimSuffix(p.id+" "+p.variant, " ") }

var provocations = []provocation{
	{"source.connection", "refused", func(s *scene) (string, Severity) {
		s.source = through(s.t, s.source, "127.0.0.1:1")
		return "source", Error
	}},
	{"source.connection", "role", func(s *scene) (string, Severity) {
		s.source = pgtest.As(s.t, s.source, "nobody_of_that_name")
		return "source", Error
	}},
	{"target.connection", "database", func(s *scene) (string, Severity) {
		s.target = strings.Replace(s.target, database(s.t, s.target), "absent", 1)
		return "target", Error
	}},
	{"source.pooler", "", func(s *scene) (string, Severity) {
		s.source = s.pooled(s.source)
		return host(s.t, s.source), Error
	}},
	{"target.pooler", "", func(s *scene) (string, Severity) {
		s.target = s.pooled(s.target)
		return host(s.t, s.target), Error
	}},
	{"walferry.programs", "", func(s *scene) (string, Severity) {
		s.o.FindPrograms = func(ctx context.Context, major int) error {
			_, err := schema.FindPGBin(ctx, s.t.TempDir(), major)
			return err
		}
		return "pg_dump", Error
	}},
	{"source.version", "old", func(s *scene) (string, Severity) {
		s.dress(s.source, "server_version_num", "120022")
		return "12", Error
	}},
	{"source.version", "new", func(s *scene) (string, Severity) {
		s.dress(s.source, "server_version_num", "200001")
		return "20", Warning
	}},
	{"target.version", "new", func(s *scene) (string, Severity) {
		s.dress(s.target, "server_version_num", "200001")
		return "20", Warning
	}},
	{"source.minor_version", "", func(s *scene) (string, Severity) {
		s.dress(s.source, "server_version_num", "150005")
		return "15.5", Warning
	}},
	{"source.minor_version", "harmless", func(s *scene) (string, Severity) {
		s.dress(s.source, "server_version_num", "150017")
		return "15.17", Info
	}},
	{"source.output_plugin", "", func(s *scene) (string, Severity) {
		s.dress(s.source, "output_plugin_libraries", "test_decoding")
		return "output_plugin_libraries", Error
	}},
	{"source.wal_sender_timeout", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, `ALTER DATABASE "`+database(s.t, s.source)+`" SET wal_sender_timeout = '2s'`)
		return "wal_sender_timeout", Warning
	}},
	{"source.timeouts", "role", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, `ALTER DATABASE "`+database(s.t, s.source)+`" SET statement_timeout = '1h'`)
		s.plain = true
		return "statement_timeout", Warning
	}},
	{"source.timeouts", "old snapshots", func(s *scene) (string, Severity) {
		s.dress(s.source, "old_snapshot_threshold", "60")
		return "old_snapshot_threshold", Warning
	}},
	{"source.timeouts", "standby", func(s *scene) (string, Severity) {
		s.source = s.standby()
		return "max_standby_streaming_delay", Warning
	}},
	{"target.timeouts", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.target, `ALTER DATABASE "`+database(s.t, s.target)+`" SET idle_in_transaction_session_timeout = '1min'`)
		s.plain = true
		return "idle_in_transaction_session_timeout", Warning
	}},
	{"source.slots", "one", func(s *scene) (string, Severity) {
		s.dress(s.source, "max_replication_slots", "1")
		return "max_replication_slots", Warning
	}},
	{"source.create_slot", "refused", func(s *scene) (string, Severity) {
		s.source = pgtest.Start(s.t, 15, map[string]string{"wal_level": "replica"}).Database(s.t)
		s.dress(s.source, "wal_level", "logical")
		uri := s.source
		s.o.ConnectReplication = func(ctx context.Context) (*pgconn.PgConn, error) {
			return pgconn.Connect(ctx, uri+"&replication=database")
		}
		return database(s.t, s.source), Error
	}},
	{"source.create_slot", "late", func(s *scene) (string, Severity) {
		uri := s.source
		c := pgtest.Connect(s.t, s.source)
		if _, err := c.PgConn().Exec(s.t.Context(), "BEGIN; SELECT txid_current()").ReadAll(); err != nil {
			s.t.Fatal(err)
		}
		s.o.ConnectReplication = func(ctx context.Context) (*pgconn.PgConn, error) {
			return pgconn.Connect(ctx, uri+"&replication=database")
		}
		return database(s.t, s.source), Warning
	}},
	{"source.old_transactions", "hidden", func(s *scene) (string, Severity) {
		c := pgtest.Connect(s.t, s.source)
		if _, err := c.PgConn().Exec(s.t.Context(), "BEGIN; SELECT txid_current()").ReadAll(); err != nil {
			s.t.Fatal(err)
		}
		name := database(s.t, s.source)
		s.source = pgtest.As(s.t, s.source, role(s.t, s.source, "REPLICATION"))
		return name, Warning
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
		s.source = pgtest.As(s.t, s.source, name)
		return name, Error
	}},
	{"source.replication_connection", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "")
		uri := pgtest.As(s.t, s.source, name)
		s.o.ConnectReplication = func(ctx context.Context) (*pgconn.PgConn, error) {
			return pgconn.Connect(ctx, uri+"&replication=database")
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
		s.source = pgtest.As(s.t, s.source, role(s.t, s.source, "REPLICATION"))
		return database(s.t, s.source), Error
	}},
	{"source.table_owner", "", func(s *scene) (string, Severity) {
		s.source = pgtest.As(s.t, s.source, role(s.t, s.source, "REPLICATION"))
		return "public.orders", Error
	}},
	{"source.dump_rights", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "REPLICATION")
		pgtest.Exec(s.t, s.source, "CREATE TABLE chosen (id int PRIMARY KEY); GRANT SELECT ON chosen TO "+name)
		s.source = pgtest.As(s.t, s.source, name)
		s.o.Tables = []string{"chosen"}
		return "public.orders", Error
	}},
	{"source.sequence_rights", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE SEQUENCE numbers")
		s.source = pgtest.As(s.t, s.source, role(s.t, s.source, "REPLICATION"))
		return "public.numbers", Error
	}},
	{"source.select", "", func(s *scene) (string, Severity) {
		s.source = pgtest.As(s.t, s.source, role(s.t, s.source, "REPLICATION"))
		return "public.orders", Error
	}},
	{"source.select", "schema", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "REPLICATION")
		pgtest.Exec(s.t, s.source, "CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int PRIMARY KEY); GRANT SELECT ON hidden.t, orders TO "+name)
		s.source = pgtest.As(s.t, s.source, name)
		return "hidden.t", Error
	}},
	{"source.row_security", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "REPLICATION")
		pgtest.Exec(s.t, s.source, "GRANT SELECT ON orders TO "+name+"; ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
		s.source = pgtest.As(s.t, s.source, name)
		return "public.orders", Error
	}},
	{"source.row_security", "forced", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "REPLICATION")
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders OWNER TO "+name+"; ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders FORCE ROW LEVEL SECURITY")
		s.source = pgtest.As(s.t, s.source, name)
		return "public.orders", Error
	}},
	{"source.size", "", func(s *scene) (string, Severity) {
		name := database(s.t, s.source)
		s.o.MaxTotalBytes = 100
		return name, Error
	}},
	{"source.copy_time", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "INSERT INTO orders SELECT n, repeat('x', 1000) FROM generate_series(2, 2000) n; ANALYZE orders")
		s.o.Measure = 100 * time.Millisecond
		return "public.orders", Info
	}},
	{"source.wal_rate", "more than the slot may keep", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "UPDATE pg_class SET relpages = 1 WHERE relname = 'orders'")
		s.dress(s.source, "max_slot_wal_keep_size", "0")
		s.o.Measure = 500 * time.Millisecond
		ctx, cancel := context.WithCancel(s.t.Context())
		uri := s.source
		var writing sync.WaitGroup
		begun := make(chan struct{})
		writing.Go(func() {
			begin := sync.OnceFunc(func() { close(begun) })
			defer begin()
			c, err := pgx.Connect(ctx, uri)
			for err == nil {
				_, err = c.Exec(ctx, "SELECT pg_logical_emit_message(false, 'walferry', repeat('x', 100000))")
				begin()
			}
			if c != nil {
				_ = c.Close(context.WithoutCancel(ctx))
			}
		})
		s.t.Cleanup(func() { cancel(); writing.Wait() })
		<-begun
		return database(s.t, s.source), Warning
	}},
	{"source.connections", "role", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "CONNECTION LIMIT 4")
		s.source = pgtest.As(s.t, s.source, name)
		s.o.Jobs = 8
		return name, Error
	}},
	{"source.connections", "server", func(s *scene) (string, Severity) {
		s.o.Jobs = 1000
		return "max_connections", Error
	}},
	{"source.locks", "many", func(s *scene) (string, Severity) {
		s.poor()
		s.source = s.servers.poor.Database(s.t, manyTables(1600))
		return "max_locks_per_transaction", Warning
	}},
	{"source.locks", "too many", func(s *scene) (string, Severity) {
		s.poor()
		s.source = s.servers.poor.Database(s.t, manyTables(3500))
		return "max_locks_per_transaction", Error
	}},
	{"target.connections", "database", func(s *scene) (string, Severity) {
		name := database(s.t, s.target)
		pgtest.Exec(s.t, s.target, `ALTER DATABASE "`+name+`" CONNECTION LIMIT 3`)
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
		s.o.ApplyJobs = 9
		return name, Error
	}},
	{"migration.method", "", func(s *scene) (string, Severity) {
		s.o.Method = Auto
		name := role(s.t, s.source, "")
		pgtest.Exec(s.t, s.source, "GRANT SELECT ON orders TO "+name)
		n := database(s.t, s.source)
		s.source = pgtest.As(s.t, s.source, name)
		return n, Warning
	}},
	{"source.identity", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, `CREATE TABLE "Key less" (id int)`)
		return "public.Key less", Warning
	}},
	{"source.identity", "deferrable key", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE)")
		return "public.deferred", Warning
	}},
	{"source.identity", "named publication", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE TABLE keyless (id int)", "CREATE PUBLICATION theirs FOR TABLE keyless")
		s.o.Publications = []string{"theirs"}
		return "public.keyless", Warning
	}},
	{"source.full_identity", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE TABLE docs (id int, doc json, at point); ALTER TABLE docs REPLICA IDENTITY FULL")
		return "public.docs", Info
	}},
	{"source.deferrable_keys", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders ADD UNIQUE (note) DEFERRABLE")
		return "public.orders", Info
	}},
	{"source.row_filters", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE PUBLICATION filtered FOR TABLE orders WHERE (id > 1)")
		s.o.Publications = []string{"filtered"}
		return "public.orders", Warning
	}},
	{"source.generated_columns", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders ADD twice int GENERATED ALWAYS AS (id * 2) STORED")
		return "public.orders", Info
	}},
	{"source.identity_columns", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders ALTER id ADD GENERATED ALWAYS AS IDENTITY")
		return "public.orders", Info
	}},
	{"source.triggers", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, trigger, "ALTER TABLE orders ENABLE ALWAYS TRIGGER watch")
		return "public.orders", Info
	}},
	{"source.rules", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE RULE quiet AS ON DELETE TO orders DO INSTEAD NOTHING")
		return "public.orders", Info
	}},
	{"source.exclusion_constraints", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders ADD during tsrange, ADD EXCLUDE USING gist (during WITH &&)")
		return "public.orders", Info
	}},
	{"source.invalid_indexes", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE INDEX broken ON orders (note)", "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass")
		return "public.orders", Warning
	}},
	{"source.not_valid_constraints", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders ADD CHECK (id > 100) NOT VALID")
		return "public.orders", Info
	}},
	{"source.text_format", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders ADD kind regclass, ADD acl aclitem")
		return database(s.t, s.source), Info
	}},
	{"source.unlogged", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE UNLOGGED TABLE cache (id int)")
		return "public.cache", Warning
	}},
	{"source.large_objects", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "SELECT lo_create(0)")
		return database(s.t, s.source), Info
	}},
	{"source.large_objects", "left out", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "SELECT lo_create(0)")
		s.o.Tables = []string{"orders"}
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
	{"target.version", "older", func(s *scene) (string, Severity) {
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
	{"target.encoding", "rows", func(s *scene) (string, Severity) {
		s.target = encoded(s.t, s.target, "LATIN1")
		pgtest.Exec(s.t, s.source, "INSERT INTO orders VALUES (2, '5 €')")
		return "public.orders", Error
	}},
	{"target.encoding", "unknown source", func(s *scene) (string, Severity) {
		s.source = encoded(s.t, s.source, "SQL_ASCII")
		return "UTF8", Warning
	}},
	{"target.encoding", "bytes", func(s *scene) (string, Severity) {
		s.source = encoded(s.t, s.source, "SQL_ASCII")
		pgtest.Exec(s.t, s.source, "CREATE TABLE raw (id int PRIMARY KEY, note text); INSERT INTO raw VALUES (1, E'\\xe9')")
		return "public.raw", Error
	}},
	{"source.collation_version", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, `CREATE TABLE sorted (id text COLLATE "en-x-icu" PRIMARY KEY)`, "UPDATE pg_collation SET collversion = '0' WHERE collname = 'en-x-icu'")
		return "pg_catalog.en-x-icu", Warning
	}},
	{"source.collation_version", "database", func(s *scene) (string, Severity) {
		s.source = located(s.t, s.source, "C.UTF-8")
		pgtest.Exec(s.t, s.source, "CREATE OR REPLACE FUNCTION pg_catalog.pg_database_collation_actual_version(oid) RETURNS text LANGUAGE sql AS $$SELECT '2.36'$$")
		pgtest.Exec(s.t, s.source, "UPDATE pg_database SET datcollversion = '2.28' WHERE datname = current_database()")
		return database(s.t, s.source), Warning
	}},
	{"target.locale", "", func(s *scene) (string, Severity) {
		s.target = located(s.t, s.target, "C.UTF-8")
		return database(s.t, s.target), Warning
	}},
	{"target.collations", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, `CREATE COLLATION pg_catalog.atlantis FROM "C"; CREATE TABLE sorted (id text COLLATE atlantis PRIMARY KEY)`)
		return "atlantis", Error
	}},
	{"target.icu", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE COLLATION german (provider = icu, locale = 'de')")
		pgtest.Exec(s.t, s.target, "DELETE FROM pg_collation WHERE collprovider = 'i'")
		return "public.german", Error
	}},
	{"target.tablespaces", "", func(s *scene) (string, Severity) {
		name := database(s.t, s.source) + "_space"
		s.inPlace(name)
		s.target = pgtest.Server(s.t, 16).Database(s.t)
		return name, Warning
	}},
	{"target.access_methods", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE other (id int PRIMARY KEY) USING heap2")
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
		return "heap2", Error
	}},
	{"target.compression", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "UPDATE pg_attribute SET attcompression = 'l' WHERE attrelid = 'orders'::regclass AND attname = 'note'")
		s.dress(s.target, "default_toast_compression", "pglz")
		return "public.orders", Error
	}},
	{"target.superuser_objects", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE FUNCTION sure(int) RETURNS bool LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT true'")
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
		return "function public.sure(integer)", Error
	}},
	{"target.superuser_objects", "left out", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE PUBLICATION everything FOR ALL TABLES")
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
		return "publication everything", Warning
	}},
	{"target.roles", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "")
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders OWNER TO "+name)
		s.target = pgtest.Server(s.t, 16).Database(s.t)
		s.o.NoRoles = true
		return name, Warning
	}},
	{"target.roles", "may not create", func(s *scene) (string, Severity) {
		name := role(s.t, s.source, "")
		pgtest.Exec(s.t, s.source, "ALTER TABLE orders OWNER TO "+name)
		s.target = pgtest.Server(s.t, 16).Database(s.t)
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
		return name, Warning
	}},
	{"target.create_database", "", func(s *scene) (string, Severity) {
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
		s.o.TargetAbsent, s.o.TargetDatabase = true, "wanted"
		return "wanted", Error
	}},
	{"target.exists", "not chosen", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE TABLE more (id int PRIMARY KEY)")
		pgtest.Exec(s.t, s.target, "CREATE TABLE more (id int PRIMARY KEY)")
		s.o.Tables = []string{"orders"}
		return "table public.more", Warning
	}},
	{"target.languages", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE LANGUAGE plother HANDLER plpgsql_call_handler")
		return "plother", Error
	}},
	{"target.preload", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE EXTENSION pg_stat_statements")
		return "pg_stat_statements", Warning
	}},
	{"target.extensions", "older", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE EXTENSION pg_trgm; UPDATE pg_extension SET extversion = '99.0' WHERE extname = 'pg_trgm'")
		return "pg_trgm", Error
	}},
	{"target.extensions", "older, installed", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE EXTENSION pg_trgm; UPDATE pg_extension SET extversion = '99.0' WHERE extname = 'pg_trgm'")
		pgtest.Exec(s.t, s.target, "CREATE EXTENSION pg_trgm")
		return "pg_trgm", Error
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
		name := role(s.t, s.target, "")
		pgtest.Exec(s.t, s.target, `GRANT CREATE ON DATABASE "`+database(s.t, s.target)+`" TO `+name)
		s.target = pgtest.As(s.t, s.target, name)
		return "pageinspect", Error
	}},
	{"target.create", "", func(s *scene) (string, Severity) {
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
		return database(s.t, s.target), Error
	}},
	{"target.schema_create", "", func(s *scene) (string, Severity) {
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
		return "public", Error
	}},
	{"target.rung", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.target, "")
		s.target = pgtest.As(s.t, s.target, name)
		return name, Info
	}},
	{"target.rung", "aiven_extras", func(s *scene) (string, Severity) {
		name := role(s.t, s.target, "")
		pgtest.Exec(s.t, s.target, aivenExtras)
		s.target = pgtest.As(s.t, s.target, name)
		return name, Info
	}},
	{"target.table_owner", "", func(s *scene) (string, Severity) {
		name := role(s.t, s.target, "")
		pgtest.Exec(s.t, s.target, "CREATE TABLE orders (id int PRIMARY KEY, note text)", trigger, "GRANT ALL ON orders TO "+name)
		s.target = pgtest.As(s.t, s.target, name)
		s.o.NoSchema = true
		return "public.orders", Error
	}},
	{"target.triggers", "", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.target, "CREATE TABLE orders (id int PRIMARY KEY, note text)", trigger, "ALTER TABLE orders ENABLE REPLICA TRIGGER watch")
		s.o.NoSchema = true
		return "public.orders", Warning
	}},
	{"target.exists", "table", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.target, "CREATE VIEW orders AS SELECT 1 AS id")
		pgtest.Exec(s.t, s.source, "CREATE VIEW totals AS SELECT 1 AS id")
		pgtest.Exec(s.t, s.target, "CREATE VIEW totals AS SELECT 1 AS id")
		return "view public.totals", Error
	}},
	{"target.exists", "schema", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, "CREATE SCHEMA app")
		pgtest.Exec(s.t, s.target, "CREATE SCHEMA app")
		return "schema app", Error
	}},
	{"target.exists", "function", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.source, trigger)
		pgtest.Exec(s.t, s.target, "CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
		return "function public.watch()", Error
	}},
	{"target.columns", "type", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.target, "CREATE TABLE orders (id bigint, note text)")
		return "public.orders", Warning
	}},
	{"target.columns", "of its own", func(s *scene) (string, Severity) {
		pgtest.Exec(s.t, s.target, "CREATE TABLE orders (id int, note text, more int NOT NULL)")
		return "public.orders", Error
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
		s.target = pgtest.As(s.t, s.target, role(s.t, s.target, ""))
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
