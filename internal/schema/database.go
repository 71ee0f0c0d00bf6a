package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/roles"
	"github.com/walferry/walferry/internal/sqltext"
)

// The kinds of entries of a database itself, which pg_dump writes only for
// databases that its script creates.
const (
	kindDatabaseOwner   = "DATABASE OWNER"
	kindDatabaseGrants  = "DATABASE ACL"
	kindDatabaseSetting = "DATABASE SETTING"
	kindDatabaseComment = "DATABASE COMMENT"
)

// CreateDatabaseSQL makes a database like d, with its encoding and, unless plain
// is set, its locale. Other properties are those of [DatabaseEntries].
func CreateDatabaseSQL(d *catalog.Database, name string, targetMajor int, plain bool) string {
	sql := "CREATE DATABASE " + sqltext.Ident(name) + " TEMPLATE template0 ENCODING " + sqltext.Literal(d.Encoding)
	if plain {
		return sql
	}
	sql += " LC_COLLATE " + sqltext.Literal(d.Collate) + " LC_CTYPE " + sqltext.Literal(d.Ctype)
	switch {
	case targetMajor < 15:
	case d.Provider == "c":
		sql += " LOCALE_PROVIDER libc"
	case d.Provider == "i":
		sql += " LOCALE_PROVIDER icu ICU_LOCALE " + sqltext.Literal(d.Locale)
		if d.Rules != "" {
			sql += " ICU_RULES " + sqltext.Literal(d.Rules)
		}
	case d.Provider == "b":
		sql += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + sqltext.Literal(d.Locale)
	}
	return sql
}

// unmovedSettings would hinder the migration, or whoever comes after it.
var unmovedSettings = []string{"default_transaction_read_only", "session_replication_role", "transaction_read_only"}

// DatabaseEntries give the database called name the properties of d: comment,
// settings, settings of roles in it, and where own is set, as for a database that
// the migration has made, owner, grants and connection limit. They are run last.
func DatabaseEntries(d *catalog.Database, settings []catalog.RoleSetting, name string, own, noOwner bool) (entries []Entry, leftOut []LeftOut) {
	database := sqltext.Ident(name)
	add := func(kind, object string, statements ...string) {
		if len(statements) > 0 {
			entries = append(entries, Entry{Kind: kind, Name: object, SQL: strings.Join(statements, ";\n") + ";", Stage: Finish})
		}
	}
	set := func(prefix, object string, list []string) {
		for _, s := range list {
			parameter, _, _ := strings.Cut(s, "=")
			sql, ok := roles.SetSQL(s)
			if !ok || slices.Contains(unmovedSettings, parameter) {
				leftOut = append(leftOut, LeftOut{Kind: kindDatabaseSetting, Name: object + " " + parameter, Reason: "it would hinder the migration"})
				continue
			}
			add(kindDatabaseSetting, object+" "+parameter, prefix+" "+sql)
		}
	}
	if d.Comment != "" {
		add(kindDatabaseComment, name, "COMMENT ON DATABASE "+database+" IS "+sqltext.Literal(d.Comment))
	}
	set("ALTER DATABASE "+database, name, d.Settings)
	for _, r := range settings {
		set("ALTER ROLE "+sqltext.Ident(r.Role)+" IN DATABASE "+database, "role "+r.Role+" in "+name, r.Settings)
	}
	if !own {
		return entries, leftOut
	}
	if d.ConnectionLimit >= 0 {
		add(kindDatabaseSetting, name+" connection limit", "ALTER DATABASE "+database+" CONNECTION LIMIT "+strconv.Itoa(int(d.ConnectionLimit)))
	}
	if d.Granted {
		add(kindDatabaseGrants, name, databaseGrants(d, database)...)
	}
	if !noOwner {
		add(kindDatabaseOwner, name, "ALTER DATABASE "+database+" OWNER TO "+sqltext.Ident(d.Owner))
	}
	return entries, leftOut
}

// databaseGrants takes from PUBLIC what a new database gives it, then grants.
func databaseGrants(d *catalog.Database, database string) []string {
	statements := []string{"REVOKE ALL ON DATABASE " + database + " FROM PUBLIC"}
	for _, g := range d.Grants {
		privilege, role, _ := strings.Cut(g, " ")
		privilege, grantable := strings.CutSuffix(privilege, "*")
		to := "PUBLIC"
		if role != "" {
			to = sqltext.Ident(role)
		}
		sql := "GRANT " + privilege + " ON DATABASE " + database + " TO " + to
		if grantable {
			sql += " WITH GRANT OPTION"
		}
		statements = append(statements, sql)
	}
	return statements
}
