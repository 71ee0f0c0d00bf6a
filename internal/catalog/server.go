package catalog

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

//go:embed server.sql
var serverSQL string

// Server is what decides whether a server can be one end of a migration, as the
// connection's role sees it.
type Server struct {
	// VersionNum is server_version_num: 150018 on PostgreSQL 15.18.
	VersionNum int
	WALLevel   string
	InRecovery bool
	// MaxSlots counts all that max_replication_slots allows, UsedSlots those that
	// exist; the same for walsenders, where a running base backup counts too.
	MaxSlots, UsedSlots     int
	MaxSenders, UsedSenders int
	// MaxSlotWALKeepMegabytes is -1 when a slot may retain WAL without bound.
	MaxSlotWALKeepMegabytes int64

	Database, Encoding string
	Collate, Ctype     string

	// Role is the current role with its attributes.
	Role      string
	Superuser bool
	// Replication says that the role may open replication connections: by its
	// attribute, or as a member of rds_replication. A superuser may in any case.
	Replication       bool
	BypassRowSecurity bool
	CreateRole        bool
	CreateDatabase    bool
	// CreateInDatabase says that the role may make schemas, trusted extensions
	// and publications in the database.
	CreateInDatabase bool
}

// Major is the major version: 15.
func (s Server) Major() int { return s.VersionNum / 10000 }

// ReadServer describes the server behind a connection.
func ReadServer(ctx context.Context, q Querier) (Server, error) {
	rows, err := q.Query(ctx, serverSQL)
	if err != nil {
		return Server{}, errors.Wrap(err, "read the server's settings")
	}
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Server])
	return s, errors.Wrap(err, "read the server's settings")
}
