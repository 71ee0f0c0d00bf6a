package roles

import (
	"context"
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/sqltext"
)

//go:embed roles.sql
var rolesSQL string

// role is a role as pg_roles has it.
type role struct {
	Name              string
	Superuser         bool
	Inherit           bool
	CreateRole        bool
	CreateDatabase    bool
	Login             bool
	Replication       bool
	BypassRowSecurity bool
	ConnectionLimit   int32
	ValidUntil        string
	Comment           string
	Settings          []string // name=value

	hash string // empty where it cannot be read
}

// read lists the roles of a server.
func read(ctx context.Context, conn *pgx.Conn) ([]role, error) {
	rows, err := conn.Query(ctx, rolesSQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByNameLax[role])
}

// Names lists the names of a server's roles, but for those that are built in.
func Names(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	all, err := read(ctx, conn)
	if err != nil {
		return nil, errors.Wrap(err, "list roles")
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names, nil
}

// readHashes fills in the password hashes. Only a superuser may read them, as a rule.
func readHashes(ctx context.Context, conn *pgx.Conn, all []role) (may bool, err error) {
	err = conn.QueryRow(ctx, `SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')`).Scan(&may)
	if err != nil || !may {
		return false, err
	}
	rows, err := conn.Query(ctx, `SELECT rolname::text, rolpassword FROM pg_catalog.pg_authid WHERE rolpassword IS NOT NULL`)
	if err != nil {
		return false, err
	}
	var name, hash string
	_, err = pgx.ForEachRow(rows, []any{&name, &hash}, func() error {
		if i := slices.IndexFunc(all, func(r role) bool { return r.Name == name }); i >= 0 {
			all[i].hash = hash
		}
		return nil
	})
	return true, err
}

// attribute is a property of a role in the words of CREATE ROLE.
type attribute struct{ words, what string }

// attributes lists what CREATE ROLE is told, but for the password.
func (r *role) attributes() []attribute {
	flag := func(on bool, word string) attribute {
		if on {
			return attribute{word, word}
		}
		return attribute{"NO" + word, word}
	}
	list := []attribute{
		flag(r.Superuser, "SUPERUSER"), flag(r.Inherit, "INHERIT"), flag(r.CreateRole, "CREATEROLE"),
		flag(r.CreateDatabase, "CREATEDB"), flag(r.Login, "LOGIN"), flag(r.Replication, "REPLICATION"),
		flag(r.BypassRowSecurity, "BYPASSRLS"),
		{"CONNECTION LIMIT " + strconv.Itoa(int(r.ConnectionLimit)), "CONNECTION LIMIT"},
	}
	if until := r.ValidUntil; until != "" {
		list = append(list, attribute{"VALID UNTIL " + sqltext.Literal(until), "VALID UNTIL"})
	} else {
		list = append(list, attribute{"VALID UNTIL 'infinity'", "VALID UNTIL"})
	}
	return list
}

// createSQL is the statement that makes the role, with a password in the form that
// it is to be stored in, or none.
func (r *role) createSQL(password string) string {
	words := []string{"CREATE ROLE", sqltext.Ident(r.Name), "WITH"}
	for _, a := range r.attributes() {
		switch {
		// Some services refuse to hear even the words that take nothing.
		case a.words == "NOSUPERUSER" || a.words == "NOREPLICATION" || a.words == "NOBYPASSRLS" || a.words == "CONNECTION LIMIT -1":
		case a.words == "VALID UNTIL 'infinity'" && r.ValidUntil == "":
		default:
			words = append(words, a.words)
		}
	}
	if password != "" {
		words = append(words, "PASSWORD", sqltext.Literal(password))
	}
	return strings.Join(words, " ")
}

// differences names what of a role on the target is not as on the source.
func (r *role) differences(t *role) (list []string) {
	there := t.attributes()
	for i, a := range r.attributes() {
		if a.words != there[i].words {
			list = append(list, a.words+" on the source, "+there[i].words+" on the target")
		}
	}
	if !slices.Equal(r.Settings, t.Settings) {
		list = append(list, "its settings differ")
	}
	return list
}
