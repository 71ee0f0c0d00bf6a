package validate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/sqltext"
)

// existingTable is a table of the target that has the name of one that moves.
type existingTable struct {
	columns []string // that can be written, in no order
	missing []string // rights that the role lacks
	// suspect says that it may hold rows and can be asked.
	suspect bool
}

// learnExisting looks up the target's tables of those names in one question.
func learnExisting(ctx context.Context, c *pgx.Conn, tables []catalog.Table) (map[catalog.Name]*existingTable, error) {
	var schemas, names []string
	for i := range tables {
		schemas = append(schemas, tables[i].Schema)
		names = append(names, tables[i].Name.Name)
	}
	rows, err := c.Query(ctx, `SELECT n.nspname, c.relname,
			ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
				WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
			ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p WHERE NOT has_table_privilege(c.oid, p)),
			c.relkind = 'p' OR a.amname <> 'heap' OR pg_catalog.pg_relation_size(c.oid) > 0
		FROM ROWS FROM (unnest($1::text[]), unnest($2::text[])) AS wanted (schema, name)
		JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
		LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
		WHERE c.relkind IN ('r', 'p')`, schemas, names)
	if err != nil {
		return nil, err
	}
	existing := map[catalog.Name]*existingTable{}
	var schema, name string
	var columns, missing []string
	var filled bool
	_, err = pgx.ForEachRow(rows, []any{&schema, &name, &columns, &missing, &filled}, func() error {
		existing[catalog.Name{Schema: schema, Name: name}] = &existingTable{
			columns: columns, missing: missing, suspect: filled && !slices.Contains(missing, "SELECT"),
		}
		columns, missing = nil, nil
		return nil
	})
	return existing, err
}

// targetTables finds what a migration into an existing schema misses.
func targetTables(_ context.Context, p *preflight) ([]Finding, error) {
	if !p.NoSchema {
		return nil, nil
	}
	var findings []Finding
	for i := range p.tables {
		t := &p.tables[i]
		if t.Persistence != catalog.Unlogged && p.existing[t.Name] == nil {
			findings = append(findings, Finding{
				Object:  t.String(),
				Message: "the table does not exist on the target",
				Hint:    "Create it on the target, let the schema be migrated too, or exclude the table.",
			})
		}
	}
	return findings, nil
}

func targetColumns(_ context.Context, p *preflight) ([]Finding, error) {
	var findings []Finding
	for i := range p.tables {
		t := &p.tables[i]
		e := p.existing[t.Name]
		if e == nil {
			continue
		}
		var missing []string
		for _, c := range t.Columns {
			if c.Generated == "" && !slices.Contains(e.columns, c.Name) {
				missing = append(missing, c.Name)
			}
		}
		if len(missing) > 0 {
			findings = append(findings, Finding{
				Object:  t.String(),
				Message: "the table on the target lacks columns, or has them as generated ones",
				Detail:  "They are: " + join(missing) + ".",
				Hint:    "Add them on the target, or drop the table there and let the schema be migrated.",
			})
		}
	}
	return findings, nil
}

func tableRights(_ context.Context, p *preflight) ([]Finding, error) {
	var findings []Finding
	for i := range p.tables {
		t := &p.tables[i]
		if e := p.existing[t.Name]; e != nil && len(e.missing) > 0 {
			findings = append(findings, Finding{
				Object:  t.String(),
				Message: "the target's role may not write the table",
				Detail:  "It lacks " + strings.Join(e.missing, ", ") + ".",
				Hint: fmt.Sprintf("On the target, run: GRANT %s ON %s TO %s; or better migrate as the table's owner.",
					strings.Join(e.missing, ", "), t.Quoted(), p.target.quotedUser()),
			})
		}
	}
	return findings, nil
}

// rowsPerQuery bounds the length of one question about many tables.
const rowsPerQuery = 500

// targetRows finds the tables that already hold rows.
func targetRows(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.Resuming {
		return nil, nil
	}
	var questions []string
	for i := range p.tables {
		t := &p.tables[i]
		// The rows of a partitioned table are in its partitions.
		if e := p.existing[t.Name]; e != nil && e.suspect && (t.Kind != catalog.KindPartitioned || len(p.Publications) > 0) {
			questions = append(questions, "SELECT "+sqltext.Literal(t.String())+"::text WHERE EXISTS (SELECT FROM "+t.Quoted()+")")
		}
	}
	var findings []Finding
	for some := range slices.Chunk(questions, rowsPerQuery) {
		filled, err := p.target.strings(ctx, strings.Join(some, " UNION ALL "))
		if err != nil {
			return nil, err
		}
		for _, name := range filled {
			findings = append(findings, p.filled(name))
		}
	}
	return findings, nil
}

func (p *preflight) filled(name string) Finding {
	f := Finding{Object: name, Message: "the table on the target already holds rows"}
	switch p.IfNotEmpty {
	case Append:
		f.Severity = Warning
		f.Detail = "They are kept. The copy fails where they have the same keys as the source's rows."
	case Truncate:
		f.Severity = Warning
		f.Detail = "They are removed before the copy."
	case Refuse, "":
		f.Hint = "Empty the table on the target, or say what to do with its rows: --if-not-empty append or truncate."
	}
	return f
}
