package catalog

import (
	"context"

	"github.com/cockroachdb/errors"
)

// Choice is what a filter says of a database.
type Choice struct {
	// Relations holds every table, foreign table and materialized view that belongs
	// to no extension, with whether it is chosen; Excluded those that would be but
	// for an exclusion.
	Relations, Excluded map[Name]bool
	// Schemas are those that Filter.Schemas names, ExcludedSchemas those that
	// Filter.ExcludeSchemas does.
	Schemas, ExcludedSchemas []string
}

// Choose evaluates a filter. A pattern that names nothing is an error.
func Choose(ctx context.Context, q Querier, f Filter) (Choice, error) {
	c := Choice{Relations: map[Name]bool{}, Excluded: map[Name]bool{}}
	for _, part := range []struct {
		Filter
		found func(Name)
	}{
		{Filter{}, func(n Name) { c.Relations[n] = false }},
		{Filter{Tables: f.Tables, Schemas: f.Schemas}, func(n Name) { c.Excluded[n] = true }},
		{f, func(n Name) { c.Relations[n], c.Excluded[n] = true, false }},
	} {
		relations, err := choose(ctx, q, part.Filter)
		if err != nil {
			return c, errors.Wrap(err, "choose tables")
		}
		for _, r := range relations {
			part.found(Name{r.Schema, r.Name})
		}
	}
	patterns, err := f.parse()
	if err != nil {
		return c, err
	}
	schemas, err := matchedSchemas(ctx, q, patterns)
	if err != nil {
		return c, err
	}
	for _, s := range schemas {
		var named, excluded bool
		for _, number := range s.Patterns {
			named = named || !patterns[number-1].exclude
			excluded = excluded || patterns[number-1].exclude
		}
		if excluded {
			c.ExcludedSchemas = append(c.ExcludedSchemas, s.Name)
		} else if named {
			c.Schemas = append(c.Schemas, s.Name)
		}
	}
	return c, nil
}
