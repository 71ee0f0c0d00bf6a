package catalog

import (
	"context"
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/sqltext"
)

//go:embed candidates.sql
var candidatesSQL string

//go:embed schemas.sql
var schemasSQL string

// Filter chooses tables by psql's object patterns. The zero value chooses all.
//
// A table is chosen when a pattern of Tables names it or one of Schemas names
// its schema (or when both are empty), and no exclusion names it: an exclusion
// always wins. A partition follows its partitioned table, chosen and excluded
// alike; naming a single partition chooses just that one. A table pattern
// without a schema looks into every schema. Relations of the system, of
// extensions and of the schema walferry are never chosen.
type Filter struct {
	Tables, ExcludeTables   []string
	Schemas, ExcludeSchemas []string
}

// IsZero says that the filter chooses everything.
func (f Filter) IsZero() bool {
	return len(f.Tables)+len(f.ExcludeTables)+len(f.Schemas)+len(f.ExcludeSchemas) == 0
}

// candidate is a relation that a filter may choose.
type candidate struct {
	OID            uint32
	Schema, Name   string
	Kind           string
	Persistence    string
	Extension      string
	Config         bool
	Condition      string
	Parent         uint32
	Patterns       []int32
	root           Name // of the partitioned tables over it
	chosen, banned bool
}

// filterPattern is one parsed pattern with the flag that it came from.
type filterPattern struct {
	sqltext.Pattern
	exclude, schema, matched bool
}

func (f Filter) parse() ([]filterPattern, error) {
	var patterns []filterPattern
	for _, flag := range []struct {
		texts           []string
		exclude, schema bool
	}{
		{f.Tables, false, false},
		{f.ExcludeTables, true, false},
		{f.Schemas, false, true},
		{f.ExcludeSchemas, true, true},
	} {
		parse := sqltext.ParseTablePattern
		if flag.schema {
			parse = sqltext.ParseSchemaPattern
		}
		for _, text := range flag.texts {
			p, err := parse(text)
			if err != nil {
				return nil, err
			}
			patterns = append(patterns, filterPattern{Pattern: p, exclude: flag.exclude, schema: flag.schema})
		}
	}
	return patterns, nil
}

// choose returns all relations that belong to no extension and that the filter
// chooses, of every kind. A pattern that names nothing is an error.
func choose(ctx context.Context, q Querier, f Filter) ([]candidate, error) {
	patterns, err := f.parse()
	if err != nil {
		return nil, err
	}
	all, err := candidates(ctx, q, patterns)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(c candidate) bool { return c.Extension != "" })
	everything := len(f.Tables)+len(f.Schemas) == 0
	byOID := make(map[uint32]*candidate, len(all))
	for i := range all {
		c := &all[i]
		byOID[c.OID] = c
		c.chosen = everything
		for _, number := range c.Patterns {
			p := &patterns[number-1]
			p.matched = true
			c.chosen = c.chosen || !p.exclude
			c.banned = c.banned || p.exclude
		}
	}
	if err := checkMatched(ctx, q, patterns, all); err != nil {
		return nil, err
	}
	var chosen []candidate
	for _, c := range all {
		for a := byOID[c.Parent]; a != nil; a = byOID[a.Parent] {
			c.chosen = c.chosen || a.chosen
			c.banned = c.banned || a.banned
			c.root = Name{a.Schema, a.Name}
		}
		if c.chosen && !c.banned {
			chosen = append(chosen, c)
		}
	}
	return chosen, nil
}

func candidates(ctx context.Context, q Querier, patterns []filterPattern) ([]candidate, error) {
	databases, schemas, names := make([]string, len(patterns)), make([]string, len(patterns)), make([]string, len(patterns))
	for i, p := range patterns {
		databases[i], schemas[i], names[i] = p.Database, p.Schema, p.Name
	}
	all, err := collect[candidate](ctx, q, candidatesSQL, databases, schemas, names)
	return all, errors.Wrap(err, "list tables")
}

// checkMatched reports every pattern that names nothing. A schema may exist
// without holding a table, so schemas are looked up by themselves.
func checkMatched(ctx context.Context, q Querier, patterns []filterPattern, all []candidate) error {
	unmatched := func(p filterPattern) bool { return !p.matched }
	if !slices.ContainsFunc(patterns, unmatched) {
		return nil
	}
	schemas, err := matchedSchemas(ctx, q, patterns)
	if err != nil {
		return err
	}
	var schemaNames []string
	for _, s := range schemas {
		schemaNames = append(schemaNames, s.Name)
		for _, number := range s.Patterns {
			patterns[number-1].matched = true
		}
	}
	tableNames := make([]string, len(all))
	for i, c := range all {
		tableNames[i] = c.Schema + "." + c.Name
	}
	var problems, hints []string
	for _, p := range patterns {
		if p.matched {
			continue
		}
		what, names := "table", tableNames
		if p.schema {
			what, names = "schema", schemaNames
		}
		problems = append(problems, "no "+what+" matches pattern "+strconv.Quote(p.Text))
		if near := nearNames(p.Text, names); near != nil {
			hints = append(hints, "names similar to "+p.Text+": "+strings.Join(near, ", "))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	hints = append(hints, "letters outside of double quotes are folded to lower case")
	return errors.WithHint(errors.Newf("%s", strings.Join(problems, "; ")), strings.Join(hints, "; "))
}

// matchedSchema is a schema with the numbers, from 1, of the patterns that name it.
type matchedSchema struct {
	Name     string
	Patterns []int32
}

func matchedSchemas(ctx context.Context, q Querier, patterns []filterPattern) ([]matchedSchema, error) {
	databases, expressions := make([]string, len(patterns)), make([]string, len(patterns))
	for i, p := range patterns {
		databases[i], expressions[i] = p.Database, p.Schema
		if !p.schema {
			expressions[i] = "^$"
		}
	}
	schemas, err := collect[matchedSchema](ctx, q, schemasSQL, databases, expressions)
	return schemas, errors.Wrap(err, "list schemas")
}
