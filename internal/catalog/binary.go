package catalog

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
)

//go:embed binary.sql
var binarySQL string

// wireColumn is a column as far as its send format is concerned.
type wireColumn struct {
	Schema, Name, Column, Type string
	Safe, UserType             bool
}

// TextReason says why the tables' values have to travel as text: the first column
// whose binary form would mean something else on the target, or whose type is
// another one there. Empty when binary is safe for all of them. The source must
// be PostgreSQL 14 or newer.
func TextReason(ctx context.Context, source, target Querier, tables []Name) (string, error) {
	schemas, names := make([]string, len(tables)), make([]string, len(tables))
	for i, t := range tables {
		schemas[i], names[i] = t.Schema, t.Name
	}
	from, err := collect[wireColumn](ctx, source, binarySQL, schemas, names)
	if err != nil {
		return "", errors.Wrap(err, "read the types of the source's columns")
	}
	to, err := collect[wireColumn](ctx, target, binarySQL, schemas, names)
	if err != nil {
		return "", errors.Wrap(err, "read the types of the target's columns")
	}
	num, err := versionNum(ctx, target)
	if err != nil {
		return "", errors.Wrap(err, "read the target's version")
	}
	types := make(map[wireColumn]string, len(to))
	for _, c := range to {
		types[wireColumn{Schema: c.Schema, Name: c.Name, Column: c.Column}] = c.Type
	}
	for _, c := range from {
		column := c.Schema + "." + c.Name + "." + c.Column
		other, exists := types[wireColumn{Schema: c.Schema, Name: c.Name, Column: c.Column}]
		switch {
		case !c.Safe:
			return column + " has type " + c.Type, nil
		case exists && other != c.Type:
			return column + " has type " + c.Type + " on the source and " + other + " on the target", nil
		case c.UserType && num < 140000:
			return column + " has type " + c.Type + ", whose OID the target compares", nil
		}
	}
	return "", nil
}
