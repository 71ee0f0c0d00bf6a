package catalog

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/cockroachdb/errors"
)

//go:embed database.sql
var databaseSQL string

// Database is a database of a cluster.
type Database struct {
	Name, Owner, Encoding, Collate, Ctype string
	// Provider is "c" (libc), "i" (ICU) or "b" (builtin), Locale and Rules are those
	// of the latter two.
	Provider, Locale, Rules string
	ConnectionLimit         int32
	AllowsConnections       bool
	Comment                 string
	// Grants are those of all but the owner, "CONNECT* role"; an empty role is
	// PUBLIC. Granted says that they are not those that a new database has.
	Grants  []string
	Granted bool
	// Settings hold name=value for all roles.
	Settings []string
}

// RoleSetting is what one role is given in one database.
type RoleSetting struct {
	Role     string
	Settings []string
}

// Databases returns the databases of the cluster that are no templates, by name.
func Databases(ctx context.Context, q Querier) ([]Database, error) {
	num, err := versionNum(ctx, q)
	if err != nil {
		return nil, errors.Wrap(err, "read the server's version")
	}
	provider := `'c' AS provider, '' AS locale, '' AS rules`
	switch {
	case num >= 170000:
		provider = `d.datlocprovider::text AS provider, coalesce(d.datlocale, '') AS locale, coalesce(d.daticurules, '') AS rules`
	case num >= 160000:
		provider = `d.datlocprovider::text AS provider, coalesce(d.daticulocale, '') AS locale, coalesce(d.daticurules, '') AS rules`
	case num >= 150000:
		provider = `d.datlocprovider::text AS provider, coalesce(d.daticulocale, '') AS locale, '' AS rules`
	}
	found, err := collect[Database](ctx, q, fmt.Sprintf(databaseSQL, provider))
	return found, errors.Wrap(err, "read databases")
}

// RoleSettings returns the settings that roles have in the connected database alone.
func RoleSettings(ctx context.Context, q Querier) ([]RoleSetting, error) {
	found, err := collect[RoleSetting](ctx, q, `
		SELECT r.rolname::text AS role, s.setconfig AS settings
		FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
		WHERE s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
		ORDER BY r.rolname COLLATE "C"`)
	return found, errors.Wrap(err, "read the settings of roles in the database")
}
