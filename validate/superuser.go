package validate

import (
	"context"
	"slices"
	"strings"

	"github.com/walferry/walferry/internal/sqltext"
)

var superuserChecks = []check{
	{
		id: "target.superuser_objects", severity: Error, needs: both, run: superuserObjects,
		cause: "The source's schema holds what only a superuser can create, and the target's role is none: functions in C or in an untrusted language, LEAKPROOF functions, base types, operator classes, text search templates and parsers, casts between types of the system. " +
			"A warning for event triggers, foreign data wrappers and publications FOR ALL TABLES, without which the rest can be migrated.",
		remedy: "Create them on the target as a superuser and migrate with `--no-schema`, or drop them on the source.",
	},
	{
		id: "target.roles", severity: Warning, needs: both, run: roles,
		cause:  "A role that owns something on the source, or has rights there, does not exist on the target, and is left out (`--no-roles`, `--exclude-role`), or the target's role may not create it, or not with its attributes (SUPERUSER, REPLICATION, BYPASSRLS).",
		remedy: "Create it on the target, or migrate with `--no-owner`.",
	},
}

const superuserObjectsSQL = `
	WITH mine AS (SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'walferry')),
	-- What belongs to an extension, or like a range's constructors to another object, comes with that.
	member AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype IN ('e', 'i')),
	found (class, oid, object, reason, tolerated) AS (
		SELECT 'pg_proc', f.oid, 'function ' || n.nspname || '.' || f.proname || '(' || pg_catalog.pg_get_function_identity_arguments(f.oid) || ')',
			CASE WHEN f.proleakproof THEN 'it is LEAKPROOF' ELSE 'its language is ' || l.lanname END, ''
		FROM pg_catalog.pg_proc f JOIN mine n ON n.oid = f.pronamespace JOIN pg_catalog.pg_language l ON l.oid = f.prolang
		WHERE f.proleakproof OR NOT l.lanpltrusted AND l.lanname <> 'sql' AND f.prokind <> 'a'
		UNION ALL
		SELECT 'pg_type', t.oid, 'type ' || n.nspname || '.' || t.typname, 'it is a base type', ''
		FROM pg_catalog.pg_type t JOIN mine n ON n.oid = t.typnamespace WHERE t.typtype = 'b' AND t.typisdefined AND t.typcategory <> 'A'
		UNION ALL
		SELECT 'pg_opclass', o.oid, 'operator class ' || n.nspname || '.' || o.opcname, 'it is an operator class', ''
		FROM pg_catalog.pg_opclass o JOIN mine n ON n.oid = o.opcnamespace
		UNION ALL
		SELECT 'pg_ts_template', o.oid, 'text search template ' || n.nspname || '.' || o.tmplname, 'it is a text search template', ''
		FROM pg_catalog.pg_ts_template o JOIN mine n ON n.oid = o.tmplnamespace
		UNION ALL
		SELECT 'pg_ts_parser', o.oid, 'text search parser ' || n.nspname || '.' || o.prsname, 'it is a text search parser', ''
		FROM pg_catalog.pg_ts_parser o JOIN mine n ON n.oid = o.prsnamespace
		UNION ALL
		SELECT 'pg_cast', k.oid, 'cast ' || pg_catalog.format_type(k.castsource, NULL) || ' AS ' || pg_catalog.format_type(k.casttarget, NULL), 'it is a cast between types of the system', ''
		FROM pg_catalog.pg_cast k WHERE k.oid >= 16384 AND k.castsource < 16384 AND k.casttarget < 16384
		UNION ALL
		SELECT 'pg_event_trigger', e.oid, 'event trigger ' || e.evtname, 'it is an event trigger', 'yes' FROM pg_catalog.pg_event_trigger e
		UNION ALL
		SELECT 'pg_foreign_data_wrapper', w.oid, 'foreign data wrapper ' || w.fdwname, 'it is a foreign data wrapper', 'yes' FROM pg_catalog.pg_foreign_data_wrapper w
		UNION ALL
		SELECT 'pg_publication', p.oid, 'publication ' || p.pubname, 'it is FOR ALL TABLES', 'yes' FROM pg_catalog.pg_publication p WHERE p.puballtables)
	SELECT object, reason, tolerated FROM found
	WHERE (('pg_catalog.' || class)::regclass::oid, oid) NOT IN (SELECT classid, objid FROM member) ORDER BY 1`

func superuserObjects(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema || p.target.superuser || p.Resuming {
		return nil, nil
	}
	return p.source.find(ctx, func(row []string) Finding {
		f := Finding{
			Message: "only a superuser can create the object on the target: " + row[1],
			Hint:    "Create it on the target as a superuser with the rest of the schema and migrate with --no-schema; or drop it on the source.",
		}
		if row[2] != "" {
			f.Severity = Warning
			f.Detail = "It is left out, and named at the end, unless the service makes an exception."
			f.Hint = "Create it on the target after the migration, if it is needed there."
		}
		return f
	}, superuserObjectsSQL)
}

// roles finds owners and grantees of the source that the target lacks.
func roles(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema || p.NoOwner {
		return nil, nil
	}
	var names []string
	attributes := map[string]string{}
	found, err := p.source.find(ctx, func(row []string) Finding { return Finding{Detail: row[1]} }, `
		SELECT r.rolname::text, pg_catalog.concat_ws(', ', CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolreplication THEN 'REPLICATION' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END)
		FROM pg_catalog.pg_roles r
		WHERE r.rolname NOT LIKE 'pg\_%' AND r.oid IN (SELECT d.refobjid FROM pg_catalog.pg_shdepend d
			WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype IN ('o', 'a')
				AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
		ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		names, attributes[f.Object] = append(names, f.Object), f.Detail
	}
	missing, err := p.target.strings(ctx, "SELECT w FROM pg_catalog.unnest($1::text[]) w WHERE w NOT IN (SELECT rolname::text FROM pg_catalog.pg_roles) ORDER BY 1", names)
	var findings []Finding
	for _, name := range missing {
		if f := p.missingRole(name, attributes[name]); f.Message != "" {
			findings = append(findings, f)
		}
	}
	return findings, err
}

// missingRole says why a role will be missing on the target, if it will.
func (p *preflight) missingRole(name, attributes string) Finding {
	f := Finding{
		Object: name,
		Detail: "What it owns belongs to the role that connects to the target, and its grants are left out.",
		Hint: "On the target, run before the migration as a superuser or the service's administrator: CREATE ROLE " + sqltext.Ident(name) +
			strings.TrimSuffix(" "+strings.ReplaceAll(attributes, ",", ""), " ") + ";",
	}
	const owns = "the role owns objects on the source or has rights there, does not exist on the target, "
	switch {
	case p.NoRoles || slices.Contains(p.ExcludeRoles, name):
		f.Message = owns + "and is left out"
	case p.target.superuser:
	case !p.target.createRole:
		f.Message = owns + "and the target's role may not create it"
		f.Hint += " Or give the target's role the right: ALTER ROLE " + p.target.quotedUser() + " CREATEROLE;"
	case attributes != "":
		f.Message = owns + "where only a superuser can create it with " + attributes
	}
	return f
}
