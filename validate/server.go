package validate

import (
	"context"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/sqltext"
)

// server is what preflight knows of one side.
type server struct {
	conn       *pgx.Conn
	versionNum int // 150018
	database   string
	user       string
	superuser  bool
	bypassRLS  bool
	createRole bool
	// replication is the role's attribute, or membership in a service's substitute.
	replication bool
	inRecovery  bool
	readOnly    bool
	// systemID and started are equal for two connections only when they reach the
	// same server; systemID is empty when the server does not tell.
	systemID, started string
	settings          map[string]string
	provider          *provider
}

func (s *server) major() int { return s.versionNum / 10000 }
func (s *server) minor() int { return s.versionNum % 10000 }

// has reports whether the server knows the setting.
func (s *server) has(setting string) bool {
	_, ok := s.settings[setting]
	return ok
}

// integer is a setting's value in its own unit, and whether the server knows it.
func (s *server) integer(setting string) (int64, bool) {
	n, err := strconv.ParseInt(s.settings[setting], 10, 64)
	return n, err == nil
}

// settingsAsked are the settings that checks read.
var settingsAsked = []string{
	"server_version_num", "server_encoding", "default_transaction_read_only",
	"wal_level", "effective_wal_level", "max_replication_slots", "max_wal_senders", "max_slot_wal_keep_size",
	"idle_replication_slot_timeout", "wal_sender_timeout", "output_plugin_libraries",
	"statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
	"old_snapshot_threshold", "max_standby_streaming_delay", "hot_standby_feedback",
	"max_locks_per_transaction", "max_prepared_transactions", "max_worker_processes", "autovacuum_max_workers", "autovacuum_worker_slots",
	"max_connections", "superuser_reserved_connections", "reserved_connections",
	"default_toast_compression", "shared_preload_libraries",
}

// learnServer returns nil without an error when there is no connection, or none to
// the server itself.
func learnServer(ctx context.Context, c *pgx.Conn) (*server, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // a side that cannot be asked
	}
	if pooled, err := conninfo.Pooled(ctx, c.PgConn()); err != nil || pooled {
		return nil, err
	}
	s := &server{conn: c, settings: map[string]string{}}
	marked, roles := marks()
	var present []string
	// The substitutes for REPLICATION belong to RDS and to Yandex.
	err := c.QueryRow(ctx, `SELECT pg_catalog.current_database()::text, r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole,
			r.rolsuper OR r.rolreplication OR EXISTS (SELECT FROM pg_catalog.pg_roles s
				WHERE s.rolname IN ('rds_replication', 'mdb_replication') AND pg_catalog.pg_has_role(r.oid, s.oid, 'member')),
			pg_catalog.pg_is_in_recovery(), pg_catalog.pg_postmaster_start_time()::text,
			ARRAY (SELECT m.rolname::text FROM pg_catalog.pg_roles m WHERE m.rolname = ANY ($1))
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`, roles).
		Scan(&s.database, &s.user, &s.superuser, &s.bypassRLS, &s.createRole, &s.replication, &s.inRecovery, &s.started, &present)
	if err != nil {
		return nil, err
	}
	if err := s.learnSettings(ctx, marked); err != nil {
		return nil, err
	}
	if s.versionNum, err = strconv.Atoi(s.settings["server_version_num"]); err != nil {
		return nil, errors.Wrap(err, "read server_version_num")
	}
	s.readOnly = s.settings["default_transaction_read_only"] == "on"
	s.provider = recognise(c.Config().Host, s.settings, present)
	err = c.QueryRow(ctx, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()").Scan(&s.systemID)
	return s, unlessRefused(err)
}

// learnSettings reads the settings, and those with a dot in their names also where
// they are no more than a value that somebody set.
func (s *server) learnSettings(ctx context.Context, marked []string) error {
	for _, sql := range []string{
		// The session's own is off, for a migration writes while others may not.
		"SELECT name, CASE name WHEN 'default_transaction_read_only' THEN reset_val ELSE setting END FROM pg_catalog.pg_settings WHERE name = ANY ($1)",
		"SELECT name, value FROM pg_catalog.unnest($1::text[]) name, pg_catalog.current_setting(name, true) value WHERE name LIKE '%.%' AND value IS NOT NULL",
	} {
		rows, err := s.conn.Query(ctx, sql, append(marked, settingsAsked...))
		if err != nil {
			return unlessRefused(err)
		}
		var name, setting string
		if _, err := pgx.ForEachRow(rows, []any{&name, &setting}, func() error { s.settings[name] = setting; return nil }); unlessRefused(err) != nil {
			return err
		}
	}
	return nil
}

// unlessRefused drops the error of a server that does not want to tell.
func unlessRefused(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Severity != "FATAL" {
		return nil
	}
	return err
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

// find makes a finding of each row of a query. The query's first column is the
// object, the others are for describe.
func (s *server) find(ctx context.Context, describe func(row []string) Finding, sql string, args ...any) ([]Finding, error) {
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for rows.Next() {
		row := make([]string, len(rows.FieldDescriptions()))
		values := make([]any, len(row))
		for i := range row {
			values[i] = &row[i]
		}
		if err := rows.Scan(values...); err != nil {
			rows.Close()
			return nil, err
		}
		f := describe(row)
		f.Object = row[0]
		findings = append(findings, f)
	}
	return findings, rows.Err()
}

// quotedUser is the role's name for a statement in a hint.
func (s *server) quotedUser() string { return sqltext.Ident(s.user) }

func (s *server) quotedDatabase() string { return sqltext.Ident(s.database) }

// inService says where the server is, for the end of a sentence.
func (s *server) inService() string {
	if s.provider.name == "" {
		return ""
	}
	return " This is " + s.provider.name + "."
}

// forRole puts the role into a hint of the provider.
func (s *server) forRole(hint string) string {
	return strings.ReplaceAll(hint, "@", s.quotedUser())
}
