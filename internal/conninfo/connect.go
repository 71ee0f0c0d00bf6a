package conninfo

import (
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Option changes one connection.
type Option func(*options)

type options struct {
	purpose  string
	dial     pgconn.DialFunc
	wrap     func(net.Conn) net.Conn
	settings params
	cache    bool
}

// WithPurpose adds what the connection is for to its application_name, such as
// "copy 3"; pg_stat_activity shows "walferry/copy 3".
func WithPurpose(purpose string) Option {
	return func(o *options) { o.purpose = purpose }
}

// WithDial replaces the dialer, for example to set options of the socket.
func WithDial(dial pgconn.DialFunc) Option {
	return func(o *options) { o.dial = dial }
}

// WithConn passes each network connection through wrap, below TLS.
func WithConn(wrap func(net.Conn) net.Conn) Option {
	return func(o *options) { o.wrap = wrap }
}

// WithSetting sets one more setting of the session, after the pinned ones.
func WithSetting(name, value string) Option {
	return func(o *options) { o.settings = append(o.settings, param{name, value}) }
}

// WithStatementCache keeps statements with parameters prepared, for a connection that
// runs the same ones over and over. Without it they take one round trip instead of two
// at their first use, and work through poolers, but are parsed each time.
func WithStatementCache() Option {
	return func(o *options) { o.cache = true }
}

// Connect opens an ordinary connection with the pinned session settings.
func (i *Info) Connect(ctx context.Context, opts ...Option) (*pgx.Conn, error) {
	config, o := i.configure(opts)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, i.explain(err)
	}
	if err := i.pin(ctx, conn.PgConn(), o); err != nil {
		return nil, errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// ConnectReplication opens a connection that takes replication commands and
// simple queries, with the same settings as Connect. wal_sender_timeout is left
// to the server.
func (i *Info) ConnectReplication(ctx context.Context, opts ...Option) (*pgconn.PgConn, error) {
	config, o := i.configure(opts)
	config.RuntimeParams["replication"] = "database"
	conn, err := pgconn.ConnectConfig(ctx, &config.Config)
	if err != nil {
		return nil, i.explain(err)
	}
	if err := i.pin(ctx, conn, o); err != nil {
		return nil, errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

func (i *Info) configure(opts []Option) (*pgx.ConnConfig, options) {
	var o options
	for _, f := range opts {
		f(&o)
	}
	config := i.clone()
	if o.dial != nil {
		config.DialFunc = o.dial
	}
	if dial := config.DialFunc; o.wrap != nil {
		config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return o.wrap(conn), nil
		}
	}
	name := "walferry"
	if o.purpose != "" {
		name += "/" + o.purpose
	}
	config.RuntimeParams["application_name"] = name
	if !o.cache {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return config, o
}

// pin sets the session settings in one round trip.
func (i *Info) pin(ctx context.Context, conn *pgconn.PgConn, o options) error {
	ctx, cancel := context.WithTimeout(ctx, i.config.ConnectTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, pins(Major(conn), o.settings)).ReadAll(); err != nil {
		return errors.Wrapf(err, "set session settings on %s %s", i.side, i.address())
	}
	return nil
}

// pins is one SELECT of set_config calls. It assumes nothing of the session
// that it finds: names are qualified and no literal has a backslash.
func pins(major int, more params) string {
	settings := params{
		{"search_path", ""},
		{"client_encoding", "UTF8"},
		{"standard_conforming_strings", "on"},
		{"datestyle", "ISO"},
		{"intervalstyle", "postgres"},
		{"timezone", "UTC"},
		{"extra_float_digits", "3"},
		{"bytea_output", "hex"},
		{"xmloption", "content"},
		// A policy must stop the session, not filter rows silently.
		{"row_security", "off"},
		{"statement_timeout", "0"},
		{"lock_timeout", "0"},
		// Compiling takes longer than any catalog query that it would speed up.
		{"jit", "off"},
		// A cutover closes the source to others by this default, not to walferry.
		{"default_transaction_read_only", "off"},
		{"idle_in_transaction_session_timeout", "0"},
	}
	if major >= 14 {
		settings = append(settings, param{"idle_session_timeout", "0"})
	}
	if major >= 17 {
		settings = append(settings, param{"transaction_timeout", "0"})
	}
	settings = append(settings, more...)
	calls := make([]string, len(settings))
	for n, s := range settings {
		calls[n] = "pg_catalog.set_config(" + literal(s.key) + ", " + literal(s.value) + ", false)"
	}
	return "SELECT " + strings.Join(calls, ", ")
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Major is the major version of the connected server.
func Major(conn *pgconn.PgConn) int {
	version := conn.ParameterStatus("server_version")
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		version = version[:end]
	}
	major, _ := strconv.Atoi(version) // digits only; empty is 0, an unknown server
	return major
}
