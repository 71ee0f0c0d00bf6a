package schema

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/sqltext"
)

// Bounds of a statement's text in an error's detail and in a warning.
const (
	shownStatement = 2000
	shownInWarning = 160
)

// prepareSQL are the settings that pg_restore begins with. Those that not every
// version has are in the caller's hands.
const prepareSQL = `SET search_path = '';
SET check_function_bodies = off;
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
SET default_tablespace = '';
SET default_table_access_method = heap;
SET lock_timeout = 0;
SET row_security = off;
SET standard_conforming_strings = on;
SET statement_timeout = 0;
SET xmloption = content`

// Prepare gives a target connection the settings that entries are written for.
func Prepare(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.PgConn().Exec(ctx, prepareSQL).ReadAll()
	return errors.Wrap(err, "prepare a target connection for the schema")
}

// Apply runs an entry in the caller's transaction, on a connection that Prepare
// has set up. What is tolerated is undone to a savepoint and returned as a
// warning, which says what the target said; any other failure is an error that
// names the object, with the statement as detail, and the transaction is to be
// rolled back.
func Apply(ctx context.Context, tx pgx.Tx, e Entry) (warning string, err error) {
	var warnings []string
	for _, sql := range parts(e) {
		refused, err := trySQL(ctx, tx, sql, func(err error) bool { return isTolerated(e, err) })
		if err != nil {
			return "", describeFailure(e, sql, err)
		}
		if refused != nil {
			warnings = append(warnings, message(refused)+": "+oneLine(sql))
		}
	}
	if e.OwnerSQL != "" && len(warnings) == 0 {
		refused, err := giveAway(ctx, tx, e)
		if err != nil {
			return "", describeFailure(e, e.OwnerSQL, err)
		}
		if refused != nil {
			warnings = append(warnings, message(refused)+": "+oneLine(e.OwnerSQL))
		}
	}
	return strings.Join(warnings, "\n"), nil
}

// ApplyAll runs entries in the caller's transaction, in one round trip. Nothing is
// tolerated: after an error, which does not say of which entry it is, the transaction is
// to be rolled back.
func ApplyAll(ctx context.Context, tx pgx.Tx, entries []Entry) error {
	var script strings.Builder
	for i := range entries {
		for _, sql := range []string{entries[i].SQL, entries[i].OwnerSQL} {
			script.WriteString(sql)
			script.WriteString("\n;\n") // the line break ends a comment that sql may end in
		}
	}
	_, err := tx.Conn().PgConn().Exec(ctx, script.String()).ReadAll()
	return errors.Wrap(err, "create entries of the schema on the target")
}

// giveAway changes the owner of an entry's object. Unless a superuser asks, the
// server wants the new owner to be allowed to create in the schema: a right that
// it may have had on the source only because everybody had it in public until
// 14. So it is lent for the moment.
func giveAway(ctx context.Context, tx pgx.Tx, e Entry) (refused *pgconn.PgError, err error) {
	refused, err = trySQL(ctx, tx, e.OwnerSQL, isToleratedOwner)
	if err != nil || refused == nil || refused.Code != insufficientPrivilege || e.Schema == "" {
		return refused, err
	}
	var may bool
	row := tx.QueryRow(ctx, `SELECT coalesce(pg_catalog.bool_or(pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')), true)
		FROM pg_catalog.pg_roles r, pg_catalog.pg_namespace n WHERE r.rolname = $1 AND n.nspname = $2`, e.Owner, e.Schema)
	if err := row.Scan(&may); err != nil || may {
		return refused, err
	}
	create := "CREATE ON SCHEMA " + sqltext.Ident(e.Schema)
	role := sqltext.Ident(e.Owner)
	lent := "GRANT " + create + " TO " + role + ";\n" + e.OwnerSQL + "\nREVOKE " + create + " FROM " + role + ";"
	again, err := trySQL(ctx, tx, lent, isToleratedOwner)
	if err != nil || again == nil {
		return nil, err
	}
	// The first refusal is the one that the operator can act on.
	return refused, nil
}

// parts returns the statements that may fail one by one.
func parts(e Entry) []string {
	if e.Kind == "ACL" || e.Kind == "DEFAULT ACL" || e.Kind == kindDatabaseGrants {
		return splitGrants(e.SQL)
	}
	return []string{e.SQL}
}

// splitGrants cuts a text of GRANT, REVOKE and SET statements at its semicolons.
// The only quotes in them are those of identifiers.
func splitGrants(sql string) []string {
	var statements []string
	quoted, start := false, 0
	for i := range len(sql) {
		switch {
		case sql[i] == '"':
			quoted = !quoted
		case sql[i] == ';' && !quoted:
			if s := strings.TrimSpace(sql[start : i+1]); s != ";" {
				statements = append(statements, s)
			}
			start = i + 1
		}
	}
	if s := strings.TrimSpace(sql[start:]); s != "" {
		statements = append(statements, s)
	}
	return statements
}

// trySQL runs statements under a savepoint, in one round trip. What the server
// refuses is undone and returned when it is tolerated; after any other failure
// the transaction is of no more use.
func trySQL(ctx context.Context, tx pgx.Tx, sql string, tolerated func(error) bool) (refused *pgconn.PgError, err error) {
	conn := tx.Conn().PgConn()
	// The line break ends a comment that sql may end in.
	_, err = conn.Exec(ctx, "SAVEPOINT walferry_entry; "+sql+"\n; RELEASE SAVEPOINT walferry_entry").ReadAll()
	if err == nil || !tolerated(err) || !errors.As(err, &refused) {
		return nil, err
	}
	_, err = conn.Exec(ctx, "ROLLBACK TO SAVEPOINT walferry_entry; RELEASE SAVEPOINT walferry_entry").ReadAll()
	return refused, err
}

func describeFailure(e Entry, sql string, err error) error {
	if err == nil {
		return nil
	}
	err = errors.Wrapf(err, "create %s on the target", e.Object())
	if len(sql) > shownStatement {
		sql = strings.ToValidUTF8(sql[:shownStatement], "") + "…"
	}
	err = errors.WithDetail(err, "statement: "+sql)
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	if pgErr.Detail != "" {
		err = errors.WithDetail(err, pgErr.Detail)
	}
	if h := hint(e, pgErr.Code); h != "" {
		err = errors.WithHint(err, h)
	}
	return err
}

// message is the server's own text: `permission denied for schema app (42501)`.
func message(err *pgconn.PgError) string { return err.Message + " (" + err.Code + ")" }

// oneLine shortens a statement for a warning.
func oneLine(sql string) string {
	line := strings.Join(strings.Fields(sql), " ")
	if len(line) > shownInWarning {
		line = strings.ToValidUTF8(line[:shownInWarning], "") + "…"
	}
	return line
}
