package validate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/sqltext"
)

var targetTableChecks = []check{
	{
		id: "target.exists", severity: Error, needs: both, ofDatabase: true, run: inTheWay,
		cause:  "A schema, table, view, sequence, type or function that the source's schema creates exists on the target already.",
		remedy: "Drop it, use an empty database; or, when the target's schema is complete, migrate with `--no-schema`.",
	},
	{
		id: "target.tables", severity: Error, needs: both, ofDatabase: true, run: targetTables,
		cause:  "With `--no-schema`, a table that moves does not exist on the target.",
		remedy: "Create it, let the schema be migrated too, or exclude the table.",
	},
	{
		id: "target.columns", severity: Error, needs: both, ofDatabase: true, run: targetColumns,
		cause: "A table on the target lacks columns, has one that is generated there and not on the source (or the other way round), or a column of its own that is NOT NULL without a default. " +
			"A warning where only a column's type differs.",
		remedy: "Make the table like the source's.",
	},
	{
		id: "target.table_rights", severity: Error, needs: both, ofDatabase: true, run: tableRights,
		cause:  "The target's role lacks rights on an existing table that is written to.",
		remedy: "Grant them, or better connect as the table's owner.",
	},
	{
		id: "target.rows", severity: Error, needs: both, ofDatabase: true, run: targetRows,
		cause:  "A table on the target holds rows. A warning when `--if-not-empty` says what to do with them.",
		remedy: "Empty it, or give `--if-not-empty append` or `truncate`.",
	},
	{
		id: "target.triggers", severity: Warning, needs: both, ofDatabase: true, replication: true, run: targetTriggers,
		cause:  "With `--no-schema`, a table on the target has triggers or rules that act also under `session_replication_role = replica` (`ENABLE ALWAYS`, `ENABLE REPLICA`): they act on what is applied.",
		remedy: "Disable them until the migration has ended, unless that is what they are for.",
	},
}

// existingTable is a table of the target that has the name of one that moves.
type existingTable struct {
	columns map[string]existingColumn
	missing []string // rights that the role lacks
	// suspect says that it may hold rows and can be asked.
	suspect bool
	// firing are triggers and rules that act in spite of replica role.
	firing []string
}

type existingColumn struct {
	Type      string `json:"type"`
	Generated bool   `json:"generated"`
	// Required says that an INSERT has to give it a value.
	Required bool `json:"required"`
}

// learnExisting looks up the target's tables of those names in one question.
func learnExisting(ctx context.Context, c *pgx.Conn, tables []catalog.Table) (map[catalog.Name]*existingTable, error) {
	p := &preflight{tables: tables}
	schemas, names := p.names()
	rows, err := c.Query(ctx, `SELECT n.nspname::text, c.relname::text,
			coalesce((SELECT pg_catalog.jsonb_object_agg(a.attname, pg_catalog.jsonb_build_object('type', pg_catalog.format_type(a.atttypid, a.atttypmod),
					'generated', a.attgenerated <> '', 'required', a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''))
				FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}')::text,
			ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p WHERE NOT has_table_privilege(c.oid, p)),
			c.relkind = 'p' OR a.amname <> 'heap' OR pg_catalog.pg_relation_size(c.oid) > 0,
			ARRAY(SELECT tgname::text FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled IN ('A', 'R')
				UNION ALL SELECT rulename::text FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid AND ev_type <> '1' AND ev_enabled IN ('A', 'R') ORDER BY 1)
		FROM ROWS FROM (unnest($1::text[]), unnest($2::text[])) AS wanted (schema, name)
		JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
		LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
		WHERE c.relkind IN ('r', 'p')`, schemas, names)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	existing := map[catalog.Name]*existingTable{}
	for rows.Next() {
		var name catalog.Name
		var columns string
		var filled bool
		e := &existingTable{}
		if err := rows.Scan(&name.Schema, &name.Name, &columns, &e.missing, &filled, &e.firing); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(columns), &e.columns); err != nil {
			return nil, errors.Wrapf(err, "read the columns of %s", name)
		}
		e.suspect = filled && !slices.Contains(e.missing, "SELECT")
		existing[name] = e
	}
	return existing, rows.Err()
}

// objectsSQL lists what a schema creates and what would be in its way elsewhere,
// as kind, schema and name. Arguments tell functions apart.
const objectsSQL = `
	WITH mine AS (SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'walferry')),
	member AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e' OR deptype = 'i' AND classid = 'pg_catalog.pg_proc'::regclass)
	SELECT 'schema ' || nspname FROM mine WHERE nspname <> 'public' AND ('pg_catalog.pg_namespace'::regclass::oid, oid) NOT IN (SELECT classid, objid FROM member)
	UNION ALL
	SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'S' THEN 'sequence ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table ' ELSE 'table ' END || n.nspname || '.' || c.relname
	FROM pg_catalog.pg_class c JOIN mine n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND ('pg_catalog.pg_class'::regclass::oid, c.oid) NOT IN (SELECT classid, objid FROM member)
	UNION ALL
	SELECT 'type ' || n.nspname || '.' || t.typname FROM pg_catalog.pg_type t JOIN mine n ON n.oid = t.typnamespace
	WHERE t.typtype IN ('b', 'd', 'e', 'r', 'c') AND t.typcategory <> 'A' AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
		AND ('pg_catalog.pg_type'::regclass::oid, t.oid) NOT IN (SELECT classid, objid FROM member)
	UNION ALL
	SELECT 'function ' || n.nspname || '.' || f.proname || '(' || pg_catalog.pg_get_function_identity_arguments(f.oid) || ')'
	FROM pg_catalog.pg_proc f JOIN mine n ON n.oid = f.pronamespace
	WHERE ('pg_catalog.pg_proc'::regclass::oid, f.oid) NOT IN (SELECT classid, objid FROM member)`

// inTheWay finds objects of the target that the restored schema would meet.
func inTheWay(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema || p.Resuming {
		return nil, nil
	}
	there, err := p.target.strings(ctx, objectsSQL)
	if err != nil || len(there) == 0 {
		return nil, err
	}
	wanted, err := p.source.strings(ctx, objectsSQL)
	if err != nil {
		return nil, err
	}
	exists := make(map[string]bool, len(there))
	for _, object := range there {
		exists[object] = true
	}
	slices.Sort(wanted)
	chosen := map[string]bool{}
	for i := range p.tables {
		chosen["table "+p.tables[i].String()] = true
	}
	var findings []Finding
	for _, object := range wanted {
		if !exists[object] {
			continue
		}
		f := Finding{
			Object:  object,
			Message: "an object of the source's schema exists on the target",
			Hint:    "Use an empty database, or drop it on the target; when the target's schema is complete, migrate with --no-schema.",
		}
		if p.chosen() && !chosen[object] {
			f.Severity = Warning
			f.Detail = "It is in the way when it belongs to the chosen tables, or they need it."
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// chosen says that not everything moves.
func (p *preflight) chosen() bool {
	return len(p.Tables)+len(p.ExcludeTables)+len(p.Schemas)+len(p.ExcludeSchemas) > 0
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
		differences, severity := compareColumns(t, e)
		if len(differences) > 0 {
			findings = append(findings, Finding{
				Severity: severity,
				Object:   t.String(),
				Message:  "the table on the target has other columns than the source's",
				Detail:   sentences(differences),
				Hint:     "Make its columns on the target like those of the source; or drop the table there and let the schema be migrated.",
			})
		}
	}
	return findings, nil
}

// compareColumns says in sentences what differs. Other types may do: their text is
// what is sent.
func compareColumns(t *catalog.Table, e *existingTable) (differences []string, severity Severity) {
	severity = Warning
	known := map[string]bool{}
	differ := func(s Severity, format string, args ...any) {
		if s == Error {
			severity = Error
		}
		differences = append(differences, fmt.Sprintf(format, args...))
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		known[c.Name] = true
		there, exists := e.columns[c.Name]
		switch {
		case c.Generated != "" && exists && !there.Generated:
			differ(Error, "Column %s is generated on the source and not on the target, where it would stay empty", c.Name)
		case c.Generated != "":
		case !exists:
			differ(Error, "Column %s is missing", c.Name)
		case there.Generated:
			differ(Error, "Column %s is generated on the target and cannot be written", c.Name)
		case there.Type != c.TypeName:
			differ(Warning, "Column %s is %s on the source and %s on the target", c.Name, c.TypeName, there.Type)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.columns)) {
		if c := e.columns[name]; !known[name] && c.Required && !c.Generated {
			differ(Error, "Column %s is only on the target, NOT NULL and without a default", name)
		}
	}
	return differences, severity
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

func targetTriggers(_ context.Context, p *preflight) ([]Finding, error) {
	// On the other rungs they are disabled until the end.
	if !p.NoSchema || p.rung == rungTakeDown {
		return nil, nil
	}
	var findings []Finding
	for i := range p.tables {
		t := &p.tables[i]
		if e := p.existing[t.Name]; e != nil && len(e.firing) > 0 {
			findings = append(findings, Finding{
				Object:  t.String(),
				Message: "triggers or rules of the table on the target act on what is applied",
				Detail:  "They are ENABLE ALWAYS or ENABLE REPLICA: " + join(e.firing) + ".",
				Hint:    "Until the migration has ended, run on the target: ALTER TABLE " + t.Quoted() + " DISABLE TRIGGER " + sqltext.Ident(e.firing[0]) + ";",
			})
		}
	}
	return findings, nil
}
