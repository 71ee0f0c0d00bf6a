package validate

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/catalog"
)

// preflight is what the checks share: the question, what was learnt of both sides
// before them, and the report so far.
type preflight struct {
	PreflightOptions

	source, target *server         // nil when the side cannot be asked
	tables         []catalog.Table // that move
	all            []catalog.Table // of the source, chosen or not
	skipped        []catalog.SkippedRelation
	existing       map[catalog.Name]*existingTable // of tables, on the target
	rung           rung
	report         Report
	// against holds what stands against replication only.
	against []Finding
	// copySeconds is an estimate, 0 when nothing was measured.
	copySeconds float64
}

// Preflight runs all checks that concern the migration. It returns what it found,
// or an error when a connection broke or the choice of tables is wrong.
func Preflight(ctx context.Context, o PreflightOptions) (Report, error) {
	if o.Source == nil && o.SourceError == nil || o.Target == nil && o.TargetError == nil {
		return Report{}, errors.New("validate: PreflightOptions.Source and Target are required")
	}
	p := &preflight{PreflightOptions: o}
	if err := p.learn(ctx); err != nil {
		return Report{}, err
	}
	for _, g := range groups {
		for i := range g.checks {
			if err := p.ask(ctx, &g.checks[i]); err != nil {
				return Report{}, err
			}
		}
	}
	return p.report, nil
}

// ask runs one check, unless it concerns a side that cannot be asked or a method
// that is not wanted.
func (p *preflight) ask(ctx context.Context, c *check) error {
	switch {
	case c.replication && p.Method == Dump,
		c.ofDatabase && p.TargetAbsent,
		p.source == nil && (c.needs == source || c.needs == both),
		p.target == nil && (c.needs == target || c.needs == both):
		return nil
	}
	findings, err := c.run(ctx, p)
	if err != nil {
		if findings, err = notChecked(err); err != nil {
			return errors.Wrapf(err, "check %s", c.id)
		}
	}
	for _, f := range findings {
		f.ID = c.id
		if f.Severity == "" {
			f.Severity = c.severity
		}
		if f.Severity == Error && c.replication {
			p.against = append(p.against, f)
		}
		p.report.Findings = append(p.report.Findings, f)
	}
	return nil
}

// found reports whether a check has found something.
func (p *preflight) found(id string) bool {
	for i := range p.report.Findings {
		if p.report.Findings[i].ID == id {
			return true
		}
	}
	return false
}

// notChecked turns a server's refusal to answer into a finding: a right that the
// question itself needs must not hide the other answers.
func notChecked(err error) ([]Finding, error) {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Severity == "FATAL" {
		return nil, err
	}
	return []Finding{{
		Severity: Warning,
		Object:   "",
		Message:  "this could not be checked",
		Detail:   "The server answered: " + pgErr.Message + ".",
	}}, nil
}

// learn reads what several checks need.
func (p *preflight) learn(ctx context.Context) (err error) {
	if p.source, err = learnServer(ctx, p.Source); err != nil {
		return errors.Wrap(err, "ask the source who it is")
	}
	if p.target, err = learnServer(ctx, p.Target); err != nil {
		return errors.Wrap(err, "ask the target who it is")
	}
	if p.target != nil {
		if p.rung, err = probeRung(ctx, p.target.conn); err != nil {
			return errors.Wrap(err, "try to set session_replication_role on the target")
		}
	}
	if p.source == nil {
		return nil
	}
	if err := p.learnTables(ctx); err != nil {
		return errors.Wrap(err, "list the source's tables")
	}
	if p.target == nil {
		return nil
	}
	if p.TargetAbsent {
		return nil
	}
	p.existing, err = learnExisting(ctx, p.target.conn, p.tables)
	return errors.Wrap(err, "list the target's tables")
}

func (p *preflight) learnTables(ctx context.Context) (err error) {
	if p.all, err = catalog.Tables(ctx, p.source.conn, catalog.Filter{}); err != nil {
		return err
	}
	filter := catalog.Filter{
		Tables: p.Tables, ExcludeTables: p.ExcludeTables, Schemas: p.Schemas, ExcludeSchemas: p.ExcludeSchemas,
	}
	switch {
	case len(p.Publications) > 0:
		p.tables, err = publishedTables(ctx, p.source.conn, p.Publications)
		return err
	case filter.IsZero():
		p.tables = p.all
	default:
		if p.tables, err = catalog.Tables(ctx, p.source.conn, filter); err != nil {
			return err
		}
	}
	p.skipped, err = catalog.Skipped(ctx, p.source.conn, filter)
	return err
}

func publishedTables(ctx context.Context, c *pgx.Conn, publications []string) ([]catalog.Table, error) {
	rows, err := c.Query(ctx, `SELECT DISTINCT c.oid FROM pg_catalog.pg_publication_tables p
		JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
		WHERE p.pubname = ANY ($1)`, publications)
	if err != nil {
		return nil, err
	}
	oids, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	if err != nil {
		return nil, err
	}
	return catalog.TablesByOID(ctx, c, oids)
}
