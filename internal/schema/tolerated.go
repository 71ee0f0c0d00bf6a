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
	invalidParameter      = "22023"
	duplicateSchema       = "42P06"
	duplicateObject       = "42710"
	notSupported          = "0A000"
)

// tolerated holds, by kind, the errors of a definition that become warnings: the
// rows arrive without it, and the target's role often may not make it.
var tolerated = map[string][]string{
	"COMMENT": {insufficientPrivilege},
	// A role that the target does not have gets no right.
	"ACL":         {insufficientPrivilege, undefinedObject},
	"DEFAULT ACL": {insufficientPrivilege, undefinedObject},
	// The module that understands the label may be absent.
	"SECURITY LABEL": {insufficientPrivilege, undefinedObject, invalidParameter},
	"USER MAPPING":   {insufficientPrivilege, undefinedObject},
	// Both need superuser as a rule.
	"EVENT TRIGGER":                {insufficientPrivilege},
	"PUBLICATION":                  {insufficientPrivilege},
	"PUBLICATION TABLE":            {insufficientPrivilege, undefinedObject},
	"PUBLICATION TABLES IN SCHEMA": {insufficientPrivilege, undefinedObject},
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
	case slices.Contains([]string{undefinedObject, "42P01", "42883", "42703", "3F000"}, code):
		return "make what is missing on the target, and run the same command again"
	case slices.Contains([]string{duplicateSchema, duplicateObject, "42P07", "42723"}, code):
		return "the target holds an object of that name; drop it, or migrate with --no-schema when its schema is complete"
	case code == "42601":
		return "the target's version may not know the syntax"
	}
	return ""
}
