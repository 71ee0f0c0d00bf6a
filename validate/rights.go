package validate

import (
	"context"
	"fmt"
	"strings"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/sqltext"
)

func createPublication(ctx context.Context, p *preflight) ([]Finding, error) {
	if len(p.Publications) > 0 {
		return nil, nil
	}
	return createRight(ctx, p.source, "source", "the publication")
}

func createOnTarget(ctx context.Context, p *preflight) ([]Finding, error) {
	exists, err := p.target.number(ctx, "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'walferry' AND pg_has_role(nspowner, 'USAGE')")
	if err != nil || exists > 0 && p.NoSchema {
		return nil, err
	}
	return createRight(ctx, p.target, "target", "schemas")
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
			Hint:    "On the source, run: GRANT " + sqltext.Ident(t.Owner) + " TO " + p.source.quotedUser() + "; or let its owner create the publication and name that one.",
		}
	}), err
}

func selectRight(ctx context.Context, p *preflight) ([]Finding, error) {
	unreadable, err := p.which(ctx, `SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($1)
		AND NOT (has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, 'SELECT'))`)
	return p.eachTable(unreadable, func(t *catalog.Table) Finding {
		return Finding{
			Message: "the source's role may not read the table",
			Hint: fmt.Sprintf("On the source, run: GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT ON %s TO %s;",
				sqltext.Ident(t.Schema), p.source.quotedUser(), t.Quoted(), p.source.quotedUser()),
		}
	}), err
}

// rowSecurity finds tables of which the role would see only a part.
func rowSecurity(ctx context.Context, p *preflight) ([]Finding, error) {
	// row_security_active says no for every table while row_security is off.
	filtered, err := p.which(ctx, `SELECT c.oid FROM pg_catalog.pg_class c, pg_catalog.pg_roles r
		WHERE c.oid = ANY ($1) AND r.rolname = current_user AND c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
			AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE'))`)
	return p.eachTable(filtered, func(t *catalog.Table) Finding {
		return Finding{
			Message: "row security would hide rows of the table from the source's role",
			Detail:  "walferry reads with row_security = off, which makes that an error instead of a loss.",
			Hint:    "On the source, run: ALTER ROLE " + p.source.quotedUser() + " BYPASSRLS; or migrate as the table's owner without FORCE ROW LEVEL SECURITY.",
		}
	}), err
}

// replicaRole tries what keeps triggers and foreign keys from acting on changes
// that the source's have acted on already.
func replicaRole(ctx context.Context, p *preflight) ([]Finding, error) {
	tx, err := p.target.conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	_, refused := tx.Exec(ctx, "SET LOCAL session_replication_role = replica")
	if err := tx.Rollback(ctx); err != nil {
		return nil, err
	}
	if refused == nil {
		return nil, nil
	}
	if extras, err := p.target.number(ctx, "SELECT count(*) FROM pg_catalog.pg_extension WHERE extname = 'aiven_extras'"); err != nil || extras > 0 {
		return nil, err
	}
	hint := "Nothing has to be done."
	if p.target.major() >= 15 {
		hint += " To spare that, run on the target as a superuser: GRANT SET ON PARAMETER session_replication_role TO " + p.target.quotedUser() + ";"
	}
	return []Finding{{
		Object:  p.target.user,
		Message: "the target's role may not set session_replication_role",
		Detail:  "Triggers are therefore disabled and foreign keys left out on the target until the migration ends; their definitions are kept there.",
		Hint:    hint,
	}}, nil
}

// which asks a question about the source's tables that is answered by OIDs.
func (p *preflight) which(ctx context.Context, sql string) (map[uint32]bool, error) {
	oids := make([]uint32, len(p.tables))
	for i := range p.tables {
		oids[i] = p.tables[i].OID
	}
	rows, err := p.source.conn.Query(ctx, sql, oids)
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
	var findings []Finding
	for i := range p.tables {
		if t := &p.tables[i]; oids[t.OID] {
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
