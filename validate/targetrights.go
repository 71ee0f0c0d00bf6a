package validate

import (
	"context"
	"fmt"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/sqltext"
)

var targetRightChecks = []check{
	{
		id: "target.create_database", severity: Error, needs: target, run: createDatabase,
		cause:  "The target's database does not exist, and its role may not create it.",
		remedy: "`ALTER ROLE … CREATEDB;`, or create the database.",
	},
	{
		id: "target.create", severity: Error, needs: target, ofDatabase: true, run: createOnTarget,
		cause:  "The target's role may not create schemas in its database: it lacks CREATE on it. The migration keeps its progress in the schema `walferry`.",
		remedy: "`GRANT CREATE ON DATABASE … TO …;`",
	},
	{
		id: "target.schema_create", severity: Error, needs: both, ofDatabase: true, run: createInSchemas,
		cause:  "The target's role may not create objects in a schema that exists there. From PostgreSQL 15 on, nobody but the database's owner may in `public`.",
		remedy: "`GRANT CREATE ON SCHEMA … TO …;`",
	},
	{
		id: "target.rung", severity: Info, needs: target, run: rungOfTarget,
		cause:  "The target's role may not set `session_replication_role`, by which triggers and foreign keys are kept from acting on changes that the source's have acted on. walferry then uses the function of aiven_extras, or takes triggers and foreign keys down until the migration ends.",
		remedy: "Nothing has to be done. From PostgreSQL 15 on a superuser may grant it: `GRANT SET ON PARAMETER session_replication_role TO …;`",
	},
	{
		id: "target.table_owner", severity: Error, needs: both, ofDatabase: true, run: takeDownRight,
		cause:  "With `--no-schema`, triggers and foreign keys of the target's tables have to be taken down, which only their owner can, as the role may not set `session_replication_role`.",
		remedy: "`GRANT owner TO role;`, connect as the owner, or grant SET on the parameter.",
	},
}

// rung is how triggers and foreign keys of the target are kept from acting.
type rung string

// The rungs of the ladder, best first.
const (
	rungReplica  rung = "session_replication_role"
	rungAiven    rung = "aiven_extras"
	rungTakeDown rung = "take_down"
)

// probeRung tries the rungs as a migration does, and undoes it.
func probeRung(ctx context.Context, c *pgx.Conn) (rung, error) {
	for _, r := range []struct {
		rung rung
		sql  string
	}{
		{rungReplica, "SET LOCAL session_replication_role = replica"},
		{rungAiven, "SELECT aiven_extras.session_replication_role('replica')"},
	} {
		refused, err := probe(ctx, c, r.sql)
		if err != nil || refused == nil {
			return r.rung, err
		}
	}
	return rungTakeDown, nil
}

// probe runs a statement in a transaction that is rolled back, and returns why the
// server refused it.
func probe(ctx context.Context, c *pgx.Conn, sql string) (refused *pgconn.PgError, err error) {
	tx, err := c.Begin(ctx)
	if err != nil {
		return nil, err
	}
	_, answer := tx.Exec(ctx, sql)
	if err := tx.Rollback(ctx); err != nil {
		return nil, err
	}
	errors.As(answer, &refused)
	return refused, unlessRefused(answer)
}

func createDatabase(ctx context.Context, p *preflight) ([]Finding, error) {
	if !p.TargetAbsent {
		return nil, nil
	}
	allowed, err := p.target.number(ctx, "SELECT (rolsuper OR rolcreatedb)::int FROM pg_catalog.pg_roles WHERE rolname = current_user")
	if err != nil || allowed == 1 {
		return nil, err
	}
	return []Finding{{
		Object:  p.TargetDatabase,
		Message: "the database does not exist on the target, and the target's role may not create it",
		Detail:  "The role is " + p.target.user + ".",
		Hint:    "On the target, run: ALTER ROLE " + p.target.quotedUser() + " CREATEDB; or CREATE DATABASE " + sqltext.Ident(p.TargetDatabase) + " OWNER " + p.target.quotedUser() + ";",
	}}, nil
}

func createOnTarget(ctx context.Context, p *preflight) ([]Finding, error) {
	exists, err := p.target.number(ctx, "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'walferry' AND pg_has_role(nspowner, 'USAGE')")
	if err != nil || exists > 0 && p.NoSchema {
		return nil, err
	}
	return createRight(ctx, p.target, "target", "schemas")
}

// createInSchemas asks for the schemas of the source that exist on the target.
func createInSchemas(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema || p.Resuming {
		return nil, nil
	}
	schemas, err := p.source.strings(ctx, `SELECT DISTINCT n.nspname::text FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
		WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'walferry')
		UNION SELECT DISTINCT n.nspname::text FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_proc f ON f.pronamespace = n.oid
		WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'walferry')`)
	if err != nil {
		return nil, err
	}
	return p.target.find(ctx, func(row []string) Finding {
		return Finding{
			Message: "the target's role may not create objects in the schema",
			Detail:  "The schema belongs to " + row[1] + " on the target.",
			Hint:    fmt.Sprintf("On the target, run as %s or a superuser: GRANT USAGE, CREATE ON SCHEMA %s TO %s;", row[1], sqltext.Ident(row[0]), p.target.quotedUser()),
		}
	}, `SELECT nspname::text, pg_catalog.pg_get_userbyid(nspowner)::text FROM pg_catalog.pg_namespace
		WHERE nspname = ANY ($1) AND NOT (has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE')) ORDER BY 1`, schemas)
}

func rungOfTarget(_ context.Context, p *preflight) ([]Finding, error) {
	f := Finding{
		Object:  p.target.user,
		Message: "the target's role may not set session_replication_role",
		Hint:    "Nothing has to be done.",
	}
	switch p.rung {
	case rungReplica:
		return nil, nil
	case rungAiven:
		f.Detail = "The function aiven_extras.session_replication_role sets it instead: triggers and foreign keys do not act on what is applied."
	case rungTakeDown:
		f.Detail = "Triggers are therefore disabled and foreign keys left out on the target until the migration ends; their definitions are kept there."
		if p.target.major() >= 15 {
			f.Hint += " To spare that, run on the target as a superuser: GRANT SET ON PARAMETER session_replication_role TO " + p.target.quotedUser() + ";"
		}
	}
	return []Finding{f}, nil
}

// takeDownRight finds existing tables of the target that only another role can alter.
func takeDownRight(ctx context.Context, p *preflight) ([]Finding, error) {
	if !p.NoSchema || p.rung != rungTakeDown || p.Resuming {
		return nil, nil
	}
	schemas, names := p.names()
	return p.target.find(ctx, func(row []string) Finding {
		return Finding{
			Message: "triggers, rules or foreign keys of the table have to be taken down, and the target's role does not own it",
			Detail:  "It belongs to " + row[1] + ".",
			Hint:    "On the target, run: GRANT " + sqltext.Ident(row[1]) + " TO " + p.target.quotedUser() + "; or connect as " + row[1] + ".",
		}
	}, `SELECT n.nspname || '.' || c.relname, pg_catalog.pg_get_userbyid(c.relowner)::text
		FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS wanted (schema, name)
		JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
		WHERE NOT pg_has_role(c.relowner, 'USAGE') AND (c.relhastriggers AND EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D')
			OR c.relhasrules AND EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1' AND r.ev_enabled <> 'D')
			OR EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity = 'a'))
		ORDER BY 1`, schemas, names)
}

// names are the schemas and names of the tables that move, as parallel arrays.
func (p *preflight) names() (schemas, names []string) {
	for i := range p.tables {
		schemas = append(schemas, p.tables[i].Schema)
		names = append(names, p.tables[i].Name.Name)
	}
	return schemas, names
}
