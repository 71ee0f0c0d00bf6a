package validate

import (
	"context"
	"fmt"

	"github.com/walferry/walferry/internal/catalog"
)

var objectChecks = []check{
	{
		id: "source.unlogged", severity: Warning, needs: source, replication: true, run: unlogged,
		cause:  "A table is unlogged: its rows are not in the WAL, and replication carries none of its changes. walferry copies it once, when nothing is written anymore; a publication that is named with `--publication` cannot hold it.",
		remedy: "`ALTER TABLE … SET LOGGED`, if the copy at the end would take too long.",
	},
	{
		id: "source.large_objects", severity: Info, needs: source, run: largeObjects,
		cause:  "The source holds large objects, which a publication does not carry. walferry copies them before the stream and again what has changed since when the migration ends. A warning when they are left out: because that was asked for, or because only some tables were chosen and nothing says whose they are.",
		remedy: "Migrate without a choice of tables; or move them yourself after writing to the source has ended.",
	},
	{
		id: "source.sequences", severity: Info, needs: source, replication: true, run: sequences,
		cause:  "Replication does not carry sequences. walferry sets them when the migration ends.",
		remedy: "Nothing. Do not insert into the target before.",
	},
	{
		id: "source.foreign_tables", severity: Info, needs: source, run: foreignTables,
		cause:  "The rows of a foreign table are elsewhere and are not copied.",
		remedy: "Let the target's foreign server and user mapping reach what the source's do.",
	},
	{
		id: "source.materialized_views", severity: Info, needs: source, run: materializedViews,
		cause:  "A materialized view is filled on the target at the end of the migration; until then it is empty.",
		remedy: "Nothing; with `--no-schema` and a choice of tables, refresh it yourself.",
	},
}

func unlogged(_ context.Context, p *preflight) ([]Finding, error) {
	var findings []Finding
	for i := range p.tables { // a publication holds none
		if t := &p.tables[i]; t.Persistence == catalog.Unlogged {
			findings = append(findings, Finding{
				Object:  t.String(),
				Message: "the table is unlogged: replication carries none of its changes",
				Detail:  "Its rows are copied once, when the migration ends and nothing is written to the source anymore.",
				Hint:    "If that would take too long, run on the source: ALTER TABLE " + t.Quoted() + " SET LOGGED;",
			})
		}
	}
	return findings, nil
}

func largeObjects(ctx context.Context, p *preflight) ([]Finding, error) {
	n, err := catalog.LargeObjects(ctx, p.source.conn)
	if err != nil || n == 0 {
		return nil, err
	}
	f := Finding{
		Object:  p.source.database,
		Message: fmt.Sprintf("the source holds %d large objects, which replication does not carry", n),
	}
	switch {
	case p.NoLargeObjects || p.chosen():
		f.Severity = Warning
		f.Detail = "They are left out. Columns that refer to them (oid, lo) arrive, what they refer to does not."
		f.Hint = "Migrate without a choice of tables; or move them with pg_dump --large-objects after writing to the source has ended, or store them as bytea before."
	case p.Method == Dump:
		f.Detail = "They are copied with the tables."
	default:
		f.Detail = "They are copied before the stream, and when the migration ends again those that have changed. Many of them make its end longer."
	}
	return []Finding{f}, nil
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
	f := Finding{Message: "the materialized view is empty on the target until it is filled at the end of the migration"}
	if p.NoSchema && p.chosen() {
		f.Message = "the materialized view is not filled on the target"
		f.Hint = "On the target, run REFRESH MATERIALIZED VIEW when the migration has ended."
	}
	return skippedOf(p, catalog.KindMaterializedView, f), nil
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
