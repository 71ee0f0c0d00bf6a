package source

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/conninfo"
)

// LSN is a position in the source's write-ahead log.
type LSN = decoder.LSN

// Conn is a replication connection. One goroutine may use it at a time.
type Conn struct {
	conn   *pgconn.PgConn
	info   *conninfo.Info
	logger *slog.Logger
	major  int
	// senderTimeout is the server's wal_sender_timeout, 0 when it is off.
	senderTimeout time.Duration
}

// Connect opens a replication connection. A nil logger discards.
func Connect(ctx context.Context, info *conninfo.Info, logger *slog.Logger, opts ...conninfo.Option) (*Conn, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	conn, err := info.ConnectReplication(ctx, append([]conninfo.Option{conninfo.WithConn(pace)}, opts...)...)
	if err != nil {
		return nil, err
	}
	c := &Conn{conn: conn, info: info, logger: logger, major: conninfo.Major(conn)}
	row, err := c.queryRow(ctx, "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'")
	if err != nil {
		c.Close(ctx)
		return nil, errors.Wrap(err, "read wal_sender_timeout of the source")
	}
	milliseconds, err := strconv.ParseInt(row[0], 10, 32)
	if err != nil {
		c.Close(ctx)
		return nil, errors.Wrap(err, "read wal_sender_timeout of the source")
	}
	c.senderTimeout = time.Duration(milliseconds) * time.Millisecond
	return c, nil
}

// Close ends the connection, and with it its temporary slots and its exported
// snapshot. After Stream it does nothing.
func (c *Conn) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	_ = c.conn.Close(ctx) // the server ends the session either way
}

// ServerMajor is the major version of the source.
func (c *Conn) ServerMajor() int { return c.major }

// PID is the server process of the connection.
func (c *Conn) PID() uint32 { return c.conn.PID() }

// System is what IDENTIFY_SYSTEM tells.
type System struct {
	// SystemID identifies the cluster; a physical copy has the same.
	SystemID string
	Timeline int
	// XLogPos is the current flush position of the source's own WAL.
	XLogPos  LSN
	Database string
}

// IdentifySystem asks which cluster this is and where its WAL stands.
func (c *Conn) IdentifySystem(ctx context.Context) (System, error) {
	row, err := c.queryRow(ctx, "IDENTIFY_SYSTEM")
	if err != nil {
		return System{}, errors.Wrap(err, "identify the source system")
	}
	if len(row) < 4 {
		return System{}, errors.Newf("identify the source system: %d columns", errors.Safe(len(row)))
	}
	timeline, timelineErr := strconv.Atoi(row[1])
	pos, posErr := pglogrepl.ParseLSN(row[2])
	if err := errors.CombineErrors(timelineErr, posErr); err != nil {
		return System{}, errors.Wrap(err, "identify the source system")
	}
	return System{SystemID: row[0], Timeline: timeline, XLogPos: pos, Database: row[3]}, nil
}

// queryRow runs a command by the simple protocol, the only one that a walsender
// takes, and returns its single row; a NULL is "".
func (c *Conn) queryRow(ctx context.Context, sql string) ([]string, error) {
	results, err := c.conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return nil, errors.New("the source answered with no row")
	}
	row := make([]string, len(results[0].Rows[0]))
	for n, value := range results[0].Rows[0] {
		row[n] = string(value)
	}
	return row, nil
}
