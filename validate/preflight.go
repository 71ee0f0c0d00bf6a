package validate

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/catalog"
)

// preflight is what the checks share: the question, and what was learnt of both
// sides before them.
type preflight struct {
	PreflightOptions
	source, target *server
	tables         []catalog.Table // that move
	skipped        []catalog.SkippedRelation
	existing       map[catalog.Name]*existingTable // of tables, on the target
}

// Preflight runs all checks that concern the migration. It returns what it found,
// or an error when a connection broke or the choice of tables is wrong.
func Preflight(ctx context.Context, o PreflightOptions) (Report, error) {
	if o.Source == nil || o.Target == nil {
		return Report{}, errors.New("validate: PreflightOptions.Source and Target are required")
	}
	p, err := learn(ctx, o)
	if err != nil {
		return Report{}, err
	}
	var report Report
	for _, c := range checks {
		if c.replication && o.CopyOnly {
			continue
		}
		findings, err := c.run(ctx, p)
		if err != nil {
			if findings, err = notChecked(err); err != nil {
				return Report{}, errors.Wrapf(err, "check %s", c.id)
			}
		}
		for _, f := range findings {
			f.ID = c.id
			if f.Severity == "" {
				f.Severity = c.severity
			}
			report.Findings = append(report.Findings, f)
		}
	}
	return report, nil
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
func learn(ctx context.Context, o PreflightOptions) (*preflight, error) {
	p := &preflight{PreflightOptions: o}
	var err error
	if p.source, err = learnServer(ctx, o.Source); err != nil {
		return nil, errors.Wrap(err, "ask the source who it is")
	}
	if p.target, err = learnServer(ctx, o.Target); err != nil {
		return nil, errors.Wrap(err, "ask the target who it is")
	}
	filter := catalog.Filter{
		Tables: o.Tables, ExcludeTables: o.ExcludeTables, Schemas: o.Schemas, ExcludeSchemas: o.ExcludeSchemas,
	}
	if len(o.Publications) > 0 {
		p.tables, err = publishedTables(ctx, o.Source, o.Publications)
	} else if p.tables, err = catalog.Tables(ctx, o.Source, filter); err == nil {
		p.skipped, err = catalog.Skipped(ctx, o.Source, filter)
	}
	if err != nil {
		return nil, errors.Wrap(err, "list the source's tables")
	}
	if p.existing, err = learnExisting(ctx, o.Target, p.tables); err != nil {
		return nil, errors.Wrap(err, "list the target's tables")
	}
	return p, nil
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
