package validate

import (
	"context"
	"fmt"

	"github.com/walferry/walferry/internal/catalog"
)

// identity finds tables whose UPDATE and DELETE statements need a replica
// identity as soon as a publication publishes them.
func identity(_ context.Context, p *preflight) ([]Finding, error) {
	var findings []Finding
	for i := range p.tables {
		t := &p.tables[i]
		if t.Identified() || t.Kind == catalog.KindPartitioned || t.Persistence == catalog.Unlogged {
			continue
		}
		f := Finding{
			Object:  t.String(),
			Message: "UPDATE and DELETE of the table cannot be replicated: " + t.IdentityProblem(),
			Detail:  "walferry publishes it for INSERT and TRUNCATE only: the source's application goes on unhurt, but rows that it updates or deletes stay as they are on the target.",
			Hint:    "On the source, run: ALTER TABLE " + t.Quoted() + " REPLICA IDENTITY FULL; or, better, add a primary key.",
		}
		if len(p.Publications) > 0 {
			f.Detail = "Where its publication publishes updates or deletes, the source refuses such statements of its own application."
		}
		findings = append(findings, f)
	}
	return findings, nil
}

func unlogged(_ context.Context, p *preflight) ([]Finding, error) {
	var findings []Finding
	for i := range p.tables {
		if t := &p.tables[i]; t.Persistence == catalog.Unlogged {
			findings = append(findings, Finding{
				Object:  t.String(),
				Message: "the table is unlogged: replication carries none of its changes",
				Detail:  "Its definition is migrated, its rows are not kept up to date.",
				Hint:    "On the source, run: ALTER TABLE " + t.Quoted() + " SET LOGGED; if its rows matter.",
			})
		}
	}
	return findings, nil
}

func largeObjects(ctx context.Context, p *preflight) ([]Finding, error) {
	n, err := p.source.number(ctx, "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata")
	if err != nil || n == 0 {
		return nil, err
	}
	return []Finding{{
		Object:  p.source.database,
		Message: fmt.Sprintf("the source holds %d large objects, which replication does not carry", n),
		Detail:  "Columns that refer to them (oid, lo) arrive, what they refer to does not.",
		Hint:    "Move them with pg_dump --large-objects after writing to the source has ended, or store them as bytea before.",
	}}, nil
}

func sequences(ctx context.Context, p *preflight) ([]Finding, error) {
	all, err := catalog.Sequences(ctx, p.source.conn)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return []Finding{{
		Object:  p.source.database,
		Message: fmt.Sprintf("%d sequences are set on the target when the migration ends", len(all)),
		Detail:  "Replication does not carry them. Until then, do not insert into the target.",
	}}, nil
}

func foreignTables(_ context.Context, p *preflight) ([]Finding, error) {
	return skippedOf(p, catalog.KindForeign, Finding{
		Message: "the rows of a foreign table are not copied, they stay where they are",
		Hint:    "Let the target's foreign server and user mapping reach what the source's do.",
	}), nil
}

func materializedViews(_ context.Context, p *preflight) ([]Finding, error) {
	return skippedOf(p, catalog.KindMaterializedView, Finding{
		Message: "the materialized view is empty on the target until it is refreshed",
		Hint:    "On the target, run REFRESH MATERIALIZED VIEW when the migration has ended.",
	}), nil
}

func skippedOf(p *preflight, kind catalog.Kind, f Finding) []Finding {
	var findings []Finding
	for _, s := range p.skipped {
		if s.Kind == kind {
			f.Object = s.String()
			findings = append(findings, f)
		}
	}
	return findings
}

func size(_ context.Context, p *preflight) ([]Finding, error) {
	var total int64
	for i := range p.tables {
		total += p.tables[i].Bytes
	}
	if p.MaxTotalBytes <= 0 || total <= p.MaxTotalBytes {
		return nil, nil
	}
	return []Finding{{
		Object:  p.source.database,
		Message: fmt.Sprintf("the chosen tables hold %d bytes, more than the %d that are allowed", total, p.MaxTotalBytes),
		Detail:  "Indexes are not counted.",
	}}, nil
}
