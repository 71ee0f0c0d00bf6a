package schema

import (
	"slices"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	insufficientPrivilege = "42501"
	undefinedObject       = "42704"
	undefinedTable        = "42P01"
	undefinedFunction     = "42883"
	undefinedColumn       = "42703"
	undefinedSchema       = "3F000"
	invalidParameter      = "22023"
	duplicateSchema       = "42P06"
	duplicateObject       = "42710"
	notSupported          = "0A000"
)

// missing are the errors of what belongs to an object that the target lacks. The
// object's own entry has told why.
var missing = []string{undefinedObject, undefinedTable, undefinedFunction, undefinedColumn, undefinedSchema}

// tolerated holds, by kind, the errors of a definition that become warnings: the
// rows arrive without it, and the target's role often may not make it.
var tolerated = map[string][]string{
	"COMMENT": slices.Concat(missing, []string{insufficientPrivilege}),
	// A role that the target does not have gets no right.
	"ACL":         slices.Concat(missing, []string{insufficientPrivilege}),
	"DEFAULT ACL": slices.Concat(missing, []string{insufficientPrivilege}),
	// The module that understands the label may be absent.
	"SECURITY LABEL": slices.Concat(missing, []string{insufficientPrivilege, invalidParameter}),
	// Of the database itself: its rows do not need them.
	kindDatabaseOwner:   slices.Concat(missing, []string{insufficientPrivilege}),
	kindDatabaseGrants:  slices.Concat(missing, []string{insufficientPrivilege}),
	kindDatabaseSetting: slices.Concat(missing, []string{insufficientPrivilege, invalidParameter}),
	kindDatabaseComment: {insufficientPrivilege},
	// These need superuser as a rule.
	"EVENT TRIGGER":                {insufficientPrivilege},
	"PUBLICATION":                  {insufficientPrivilege},
	"PUBLICATION TABLE":            slices.Concat(missing, []string{insufficientPrivilege}),
	"PUBLICATION TABLES IN SCHEMA": slices.Concat(missing, []string{insufficientPrivilege}),
	"FOREIGN DATA WRAPPER":         slices.Concat(missing, []string{insufficientPrivilege}),
	"SERVER":                       slices.Concat(missing, []string{insufficientPrivilege}),
	"USER MAPPING":                 slices.Concat(missing, []string{insufficientPrivilege}),
	"FOREIGN TABLE":                slices.Concat(missing, []string{insufficientPrivilege}),
}

// toleratedOwner are the errors of an ownership that become warnings: the object
// stays with the role that restores.
var toleratedOwner = []string{insufficientPrivilege, undefinedObject}

// isTolerated says that a definition may fail with err.
func isTolerated(e Entry, err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch {
	case slices.Contains(tolerated[e.Kind], pgErr.Code):
		return true
	case e.Kind == "MATERIALIZED VIEW DATA":
		// Its rows can be had again by one statement, whatever its query met; only
		// what another try may cure is not passed over.
		return !slices.Contains([]string{"08", "40", "53", "57", "58", "XX"}, pgErr.Code[:2])
	case e.Kind == "SCHEMA" && e.Name == "public":
		// Every database is born with it.
		return pgErr.Code == duplicateSchema
	case e.Kind == "PROCEDURAL LANGUAGE" && e.Name == "plpgsql":
		return pgErr.Code == duplicateObject || pgErr.Code == insufficientPrivilege
	}
	return false
}

func isToleratedOwner(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains(toleratedOwner, pgErr.Code)
}

// hint says what the operator can do about a definition that failed.
func hint(e Entry, code string) string {
	switch {
	case e.Kind == "EXTENSION" && (code == notSupported || strings.HasPrefix(code, "58")):
		return "install the extension on the target's server, or leave it out"
	case code == insufficientPrivilege:
		return "give the target's role the right, or make the object there as a superuser and run the same command again"
	case slices.Contains(missing, code):
		return "make what is missing on the target, and run the same command again"
	case slices.Contains([]string{duplicateSchema, duplicateObject, "42P07", "42723"}, code):
		return "the target holds an object of that name; drop it, or migrate with --no-schema when its schema is complete"
	case code == "42601":
		return "the target's version may not know the syntax"
	}
	return ""
}
