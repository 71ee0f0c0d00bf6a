package catalog

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
)

//go:embed objects.sql
var objectsSQL string

// Object is an object of a schema, for a comparison of two servers.
type Object struct {
	// Kind is pg_dump's word, or for a state that is not an object of its own one like it:
	// TRIGGER STATE, IDENTITY STATE.
	Kind string
	// Schema is empty for what lives in no schema. Name is that of pg_dump: after the table's
	// for what belongs to one.
	Schema, Name string
	Definition   string
	// Portable says that the definition reads the same on all versions.
	Portable bool
}

// Objects returns what a user's schemas hold, or only what belongs to the named tables
// when tables is not nil. Objects of extensions, and those that a partition has from its
// root, are left out.
func Objects(ctx context.Context, q Querier, tables []Name) ([]Object, error) {
	var schemas, names []string
	for _, t := range tables {
		schemas, names = append(schemas, t.Schema), append(names, t.Name)
	}
	objects, err := collect[Object](ctx, q, objectsSQL, schemas, names)
	return objects, errors.Wrap(err, "read the objects of the schema")
}
