package roles

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/sqltext"
)

// membership says that Member belongs to Role, by whomever it was granted.
type membership struct {
	Role, Member        string
	Admin, Inherit, Set bool
}

// readMemberships lists them. Until 15 the options besides ADMIN follow from the
// member's attributes and are not told.
func readMemberships(ctx context.Context, conn *pgx.Conn, major int) ([]membership, error) {
	options := "true AS inherit, true AS set"
	if major >= 16 {
		options = "pg_catalog.bool_or(m.inherit_option) AS inherit, pg_catalog.bool_or(m.set_option) AS set"
	}
	rows, err := conn.Query(ctx, `SELECT r.rolname::text AS role, u.rolname::text AS member, pg_catalog.bool_or(m.admin_option) AS admin, `+options+`
		FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles u ON u.oid = m.member
		GROUP BY 1, 2 ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[membership])
}

// grantSQL is the statement that makes the membership on a target of the given
// version, from a source of the given version.
func (m *membership) grantSQL(sourceMajor, targetMajor int) string {
	sql := "GRANT " + sqltext.Ident(m.Role) + " TO " + sqltext.Ident(m.Member)
	switch word := map[bool]string{true: "TRUE", false: "FALSE"}; {
	case sourceMajor >= 16 && targetMajor >= 16:
		sql += " WITH ADMIN " + word[m.Admin] + ", INHERIT " + word[m.Inherit] + ", SET " + word[m.Set]
	case m.Admin:
		sql += " WITH ADMIN OPTION"
	}
	return sql
}
