package engine

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/target"
)

// databasesOf finds the databases of a migration on the target: those that were
// begun together with the one of the connection string, or when that holds none,
// those of the server that hold one. A single database, which may have another name
// than on the source, gives none.
func databasesOf(ctx context.Context, o Connection) ([]string, error) {
	dst, err := o.Target.Connect(ctx, conninfo.WithPurpose("status"))
	if err != nil {
		return nil, err
	}
	defer closeConn(ctx, dst)
	m, err := loadExisting(ctx, dst, o.Name)
	if err == nil {
		return m.Databases, nil
	}
	missing := err
	rows, err := dst.Query(ctx, `SELECT datname::text FROM pg_catalog.pg_database
		WHERE datallowconn AND NOT datistemplate AND pg_catalog.has_database_privilege(oid, 'CONNECT') ORDER BY 1`)
	if err != nil {
		return nil, errors.Wrap(err, "list the target's databases")
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, errors.Wrap(err, "list the target's databases")
	}
	for _, name := range all {
		if names := groupIn(ctx, o.Target.WithDatabase(name), o.Name); len(names) > 0 {
			return names, nil
		}
	}
	return nil, missing
}

// groupIn reads which databases were begun together with a database's migration;
// none when it has none of that name or cannot be asked.
func groupIn(ctx context.Context, info *conninfo.Info, migration string) []string {
	conn, err := info.Connect(ctx, conninfo.WithPurpose("status"))
	if err != nil {
		return nil
	}
	defer closeConn(ctx, conn)
	if installed, err := target.Installed(ctx, conn); err != nil || !installed {
		return nil
	}
	m, err := target.Load(ctx, conn, migration)
	switch {
	case err != nil || m == nil:
		return nil
	case len(m.Databases) == 0:
		return []string{info.Database()}
	}
	return m.Databases
}

// each returns the connection to each of the databases, or as it is when there are none.
func (o *Connection) each(names []string) []Connection {
	if len(names) == 0 {
		return []Connection{*o}
	}
	list := make([]Connection, len(names))
	for i, name := range names {
		list[i] = *o
		list[i].Source, list[i].Target = o.Source.WithDatabase(name), o.Target.WithDatabase(name)
	}
	return list
}
