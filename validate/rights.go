package validate

import (
	"context"
	"fmt"
	"strings"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/sqltext"
)

var sourceRightChecks = []check{
	{
		id: "source.replication_right", severity: Error, needs: source, replication: true, run: replicationRight,
		cause:  "The source's role has neither the REPLICATION attribute nor a service's substitute for it (`rds_replication`, `mdb_replication`).",
		remedy: "Grant it; the hint knows the way of the service that it recognises.",
	},
	{
		id: "source.create_publication", severity: Error, needs: source, replication: true, run: createPublication,
		cause:  "The source's role may not create a publication: it lacks CREATE on the database.",
		remedy: "Grant it, or have the publication created by another role and name it with `--publication`.",
	},
	{
		id: "source.table_owner", severity: Error, needs: source, replication: true, run: tableOwner,
		cause:  "Only a table's owner, or a member of that role, can add the table to a publication.",
		remedy: "`GRANT owner TO role;`, or have the owner create the publication and name it with `--publication`.",
	},
	{
		id: "source.select", severity: Error, needs: source, run: selectRight,
		cause:  "The source's role may not read a table that moves.",
		remedy: "Grant USAGE on its schema and SELECT on it.",
	},
	{
		id: "source.dump_rights", severity: Error, needs: source, run: dumpRights,
		cause:  "pg_dump reads the whole schema and locks every table for it, also those that are not chosen; it needs SELECT on them.",
		remedy: "Grant it, or migrate with `--no-schema`.",
	},
	{
		id: "source.sequence_rights", severity: Error, needs: source, run: sequenceRights,
		cause:  "The source's role may not read a sequence, whose position is set on the target at the end.",
		remedy: "Grant SELECT on it.",
	},
	{
		id: "source.row_security", severity: Error, needs: source, run: rowSecurity,
		cause:  "Row security would hide rows of a table from the source's role. walferry reads with `row_security = off`, so that this is an error and no loss.",
		remedy: "`ALTER ROLE … BYPASSRLS`, or connect as the table's owner without FORCE ROW LEVEL SECURITY.",
	},
}

func replicationRight(_ context.Context, p *preflight) ([]Finding, error) {
	if p.source.replication {
		return nil, nil
	}
	return []Finding{{
		Object:  p.source.user,
		Message: "the source's role may not replicate",
		Detail:  strings.TrimSpace(p.source.inService()),
		Hint:    p.source.forRole(p.source.provider.replication),
	}}, nil
}

func createPublication(ctx context.Context, p *preflight) ([]Finding, error) {
	if len(p.Publications) > 0 {
		return nil, nil
	}
	return createRight(ctx, p.source, "source", "the publication")
}

func createRight(ctx context.Context, s *server, side, what string) ([]Finding, error) {
	allowed, err := s.number(ctx, "SELECT has_database_privilege(current_database(), 'CREATE')::int")
	if err != nil || allowed == 1 {
		return nil, err
	}
	return []Finding{{
		Object:  s.database,
		Message: fmt.Sprintf("the %s's role may not create %s in its database", side, what),
		Hint:    fmt.Sprintf("On the %s, run: GRANT CREATE ON DATABASE %s TO %s;", side, s.quotedDatabase(), s.quotedUser()),
	}}, nil
}

// tableOwner finds the tables that only another role can put into a publication.
func tableOwner(ctx context.Context, p *preflight) ([]Finding, error) {
	if len(p.Publications) > 0 || p.source.superuser {
		return nil, nil
	}
	foreign, err := p.which(ctx, `SELECT oid FROM pg_catalog.pg_class
		WHERE oid = ANY ($1) AND relpersistence = 'p' AND NOT pg_has_role(relowner, 'USAGE')`)
	return p.eachTable(foreign, func(t *catalog.Table) Finding {
		return Finding{
			Message: "the source's role does not own the table, which adding it to a publication needs",
			Detail:  "It belongs to " + t.Owner + ".",
			Hint:    "On the source, run: GRANT " + sqltext.Ident(t.Owner) + " TO " + p.source.quotedUser() + "; or let its owner create the publication and name that one with --publication.",
		}
	}), err
}

// unreadableSQL finds relations that the role may not read.
const unreadableSQL = `SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($1)
	AND NOT (has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, 'SELECT'))`

func (p *preflight) grantSelect(t *catalog.Table) string {
	return fmt.Sprintf("On the source, run: GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT ON %s TO %s;",
		sqltext.Ident(t.Schema), p.source.quotedUser(), t.Quoted(), p.source.quotedUser())
}

func selectRight(ctx context.Context, p *preflight) ([]Finding, error) {
	unreadable, err := p.which(ctx, unreadableSQL)
	return p.eachTable(unreadable, func(t *catalog.Table) Finding {
		return Finding{Message: "the source's role may not read the table", Hint: p.grantSelect(t)}
	}), err
}

// dumpRights is about the tables that are not chosen: selectRight tells the others.
func dumpRights(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema || p.source.superuser || p.Resuming {
		return nil, nil
	}
	chosen := make(map[uint32]bool, len(p.tables))
	for i := range p.tables {
		chosen[p.tables[i].OID] = true
	}
	var others []catalog.Table
	for i := range p.all {
		if !chosen[p.all[i].OID] {
			others = append(others, p.all[i])
		}
	}
	unreadable, err := which(ctx, p.source, others, unreadableSQL)
	return eachTable(others, unreadable, func(t *catalog.Table) Finding {
		return Finding{
			Message: "pg_dump may not lock the table for reading the schema",
			Detail:  "The table is not chosen, but its definition is a part of the schema.",
			Hint:    p.grantSelect(t) + " Or migrate with --no-schema.",
		}
	}), err
}

func sequenceRights(ctx context.Context, p *preflight) ([]Finding, error) {
	return p.source.find(ctx, func(row []string) Finding {
		return Finding{
			Message: "the source's role may not read the sequence, whose position has to be set on the target",
			Hint: fmt.Sprintf("On the source, run: GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT ON SEQUENCE %s TO %s;",
				sqltext.Ident(row[1]), p.source.quotedUser(), sqltext.Ident(row[1], row[2]), p.source.quotedUser()),
		}
	}, `SELECT n.nspname || '.' || c.relname, n.nspname::text, c.relname::text
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'walferry')
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
			AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT'))
		ORDER BY 1`)
}

// rowSecurity finds tables of which the role would see only a part.
func rowSecurity(ctx context.Context, p *preflight) ([]Finding, error) {
	// row_security_active says no for every table while row_security is off.
	filtered, err := p.which(ctx, `SELECT c.oid FROM pg_catalog.pg_class c, pg_catalog.pg_roles r
		WHERE c.oid = ANY ($1) AND r.rolname = current_user AND c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
			AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE'))`)
	return p.eachTable(filtered, func(t *catalog.Table) Finding {
		f := Finding{
			Message: "row security would hide rows of the table from the source's role",
			Detail:  "walferry reads with row_security = off, which makes that an error instead of a loss.",
			Hint:    "On the source, run as a superuser: ALTER ROLE " + p.source.quotedUser() + " BYPASSRLS; or migrate as the table's owner, " + t.Owner + ".",
		}
		if t.ForceRowSecurity {
			f.Hint = "On the source, run as a superuser: ALTER ROLE " + p.source.quotedUser() + " BYPASSRLS; or migrate as the table's owner after: ALTER TABLE " +
				t.Quoted() + " NO FORCE ROW LEVEL SECURITY;"
		}
		return f
	}), err
}

// which asks a question about the source's tables that is answered by OIDs.
func (p *preflight) which(ctx context.Context, sql string) (map[uint32]bool, error) {
	return which(ctx, p.source, p.tables, sql)
}

func which(ctx context.Context, s *server, tables []catalog.Table, sql string) (map[uint32]bool, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	oids := make([]uint32, len(tables))
	for i := range tables {
		oids[i] = tables[i].OID
	}
	rows, err := s.conn.Query(ctx, sql, oids)
	if err != nil {
		return nil, err
	}
	found := map[uint32]bool{}
	var oid uint32
	for rows.Next() {
		if err := rows.Scan(&oid); err != nil {
			rows.Close()
			return nil, err
		}
		found[oid] = true
	}
	return found, rows.Err()
}

// eachTable makes a finding for each of the tables, in their order.
func (p *preflight) eachTable(oids map[uint32]bool, describe func(*catalog.Table) Finding) []Finding {
	return eachTable(p.tables, oids, describe)
}

func eachTable(tables []catalog.Table, oids map[uint32]bool, describe func(*catalog.Table) Finding) []Finding {
	var findings []Finding
	for i := range tables {
		if t := &tables[i]; oids[t.OID] {
			f := describe(t)
			f.Object = t.String()
			findings = append(findings, f)
		}
	}
	return findings
}

// join lists names for a sentence, and cuts a list that nobody would read.
func join(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
