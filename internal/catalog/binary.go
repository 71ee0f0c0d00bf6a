package catalog

import (
	"cmp"
	"context"
	_ "embed"
	"maps"
	"slices"

	"github.com/cockroachdb/errors"
)

//go:embed binary.sql
var binarySQL string

// wireColumn is a column as far as its send format is concerned.
type wireColumn struct {
	Schema, Name, Column, Type string
	Safe, UserType, Sendable   bool
}

// TextReason says why the tables' values have to travel as text: the first column
// whose binary form would mean something else on the target, or whose type is
// another one there. Empty when binary is safe for all of them, as a stream sends them,
// where a value whose type has no send function is text by itself.
func TextReason(ctx context.Context, source, target Querier, tables []Name) (string, error) {
	reasons, err := textReasons(ctx, source, target, tables, false)
	if len(reasons) == 0 {
		return "", err
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(reasons)), func(a, b Name) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	return reasons[first], err
}

// CopyTextReasons says which of the tables COPY has to move as text, and why.
func CopyTextReasons(ctx context.Context, source, target Querier, tables []Name) (map[Name]string, error) {
	return textReasons(ctx, source, target, tables, true)
}

// textReasons judges each table by itself. With allSendable, all types need a send
// and a receive function.
func textReasons(ctx context.Context, source, target Querier, tables []Name, allSendable bool) (map[Name]string, error) {
	schemas, names := make([]string, len(tables)), make([]string, len(tables))
	for i, t := range tables {
		schemas[i], names[i] = t.Schema, t.Name
	}
	from, err := collect[wireColumn](ctx, source, binarySQL, schemas, names)
	if err != nil {
		return nil, errors.Wrap(err, "read the types of the source's columns")
	}
	to, err := collect[wireColumn](ctx, target, binarySQL, schemas, names)
	if err != nil {
		return nil, errors.Wrap(err, "read the types of the target's columns")
	}
	num, err := versionNum(ctx, target)
	if err != nil {
		return nil, errors.Wrap(err, "read the target's version")
	}
	types := make(map[wireColumn]string, len(to))
	for _, c := range to {
		types[wireColumn{Schema: c.Schema, Name: c.Name, Column: c.Column}] = c.Type
	}
	reasons := map[Name]string{}
	for _, c := range from {
		column := c.Schema + "." + c.Name + "." + c.Column
		other, exists := types[wireColumn{Schema: c.Schema, Name: c.Name, Column: c.Column}]
		var reason string
		switch {
		case !c.Safe:
			reason = column + " has type " + c.Type
		case allSendable && !c.Sendable:
			reason = column + " has type " + c.Type + ", which has no binary form"
		case exists && other != c.Type:
			reason = column + " has type " + c.Type + " on the source and " + other + " on the target"
		case c.UserType && num < 140000:
			reason = column + " has type " + c.Type + ", whose OID the target compares"
		default:
			continue
		}
		if name := (Name{c.Schema, c.Name}); reasons[name] == "" {
			reasons[name] = reason
		}
	}
	return reasons, nil
}
