package validate

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/sqltext"
)

// server is what preflight knows of one side.
type server struct {
	conn       *pgx.Conn
	versionNum int // 150018
	backendPID uint32
	database   string
	user       string
	superuser  bool
	// replication is the role's attribute, or membership in a service's substitute.
	replication bool
	inRecovery  bool
	readOnly    bool
	// identity is equal for two connections only when they reach the same server.
	// Empty when the server does not tell.
	identity string
	settings map[string]string
}

func (s *server) major() int { return s.versionNum / 10000 }
func (s *server) minor() int { return s.versionNum % 10000 }

// has reports whether the server knows the setting.
func (s *server) has(setting string) bool {
	_, ok := s.settings[setting]
	return ok
}

// settingsAsked are the settings that checks read, and those by which a managed
// service is recognised.
var settingsAsked = []string{
	"wal_level", "effective_wal_level", "max_replication_slots", "max_wal_senders", "max_slot_wal_keep_size",
	"server_encoding", "idle_replication_slot_timeout", "output_plugin_libraries",
	"rds.logical_replication", "cloudsql.logical_decoding", "alloydb.logical_decoding", "azure.extensions",
}

func learnServer(ctx context.Context, c *pgx.Conn) (*server, error) {
	s := &server{conn: c, settings: map[string]string{}}
	// The substitutes for REPLICATION belong to RDS and to Yandex.
	err := c.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, pg_catalog.pg_backend_pid(),
			current_database(), r.rolname, r.rolsuper,
			r.rolsuper OR r.rolreplication OR EXISTS (SELECT FROM pg_catalog.pg_roles s
				WHERE s.rolname IN ('rds_replication', 'mdb_replication') AND pg_has_role(r.oid, s.oid, 'member')),
			pg_catalog.pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`).
		Scan(&s.versionNum, &s.backendPID, &s.database, &s.user, &s.superuser, &s.replication, &s.inRecovery, &s.readOnly)
	if err != nil {
		return nil, err
	}
	rows, err := c.Query(ctx, "SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY ($1)", settingsAsked)
	if err != nil {
		return nil, err
	}
	var name, setting string
	if _, err := pgx.ForEachRow(rows, []any{&name, &setting}, func() error { s.settings[name] = setting; return nil }); err != nil {
		return nil, err
	}
	// A restored copy has the same identifier, but was started at another moment.
	err = c.QueryRow(ctx, `SELECT system_identifier || ' ' || extract(epoch FROM pg_catalog.pg_postmaster_start_time())
		FROM pg_catalog.pg_control_system()`).Scan(&s.identity)
	var refused *pgconn.PgError
	if err != nil && !errors.As(err, &refused) {
		return nil, err
	}
	return s, nil
}

// strings returns the only column of a query.
func (s *server) strings(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// number returns a query's only value.
func (s *server) number(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = s.conn.QueryRow(ctx, sql, args...).Scan(&n)
	return n, err
}

// quotedUser is the role's name for a statement in a hint.
func (s *server) quotedUser() string { return sqltext.Ident(s.user) }

func (s *server) quotedDatabase() string { return sqltext.Ident(s.database) }
