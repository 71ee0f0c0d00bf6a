package validate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/sqltext"
)

var encodingChecks = []check{{
	id: "target.encoding", severity: Warning, needs: both, ofDatabase: true, run: targetEncoding,
	cause: "The target's encoding cannot hold everything that the source's can, or the source's is SQL_ASCII, which holds any bytes. The rows are looked through for three seconds, smallest tables first: " +
		"an error for a table with characters that the target cannot hold, a warning when not all rows were seen.",
	remedy: "Use a target database of encoding UTF8, or of the source's encoding; correct the rows that are named.",
}}

// scanPatience bounds the search for characters that do not fit.
const scanPatience = 3 * time.Second

// targetEncoding compares what characters both sides can hold. Rows travel as UTF-8.
func targetEncoding(ctx context.Context, p *preflight) ([]Finding, error) {
	from, to := p.source.settings["server_encoding"], p.target.settings["server_encoding"]
	if from == to || to == "UTF8" && from != "SQL_ASCII" || to == "SQL_ASCII" {
		return nil, nil
	}
	conversion := "pg_catalog.convert_to(t::text, " + sqltext.Literal(to) + ")"
	if from == "SQL_ASCII" {
		// Nothing is known of the bytes: they have to be valid as they are.
		conversion = "pg_catalog.convert_from(pg_catalog.convert_to(t::text, 'SQL_ASCII'), " + sqltext.Literal(to) + ")"
	}
	findings, unseen, err := p.scan(ctx, conversion, to)
	if err != nil {
		return nil, err
	}
	f := Finding{
		Object:  to,
		Message: fmt.Sprintf("the source's encoding is %s, the target's %s", from, to),
		Detail:  "All rows of now were looked through. The copy or the stream stops at the first character that the target cannot hold.",
		Hint:    "Use a target database of encoding UTF8, or of the source's encoding.",
	}
	if from == "SQL_ASCII" {
		f.Hint = "Let the application write valid " + to + " only, or use a target database of encoding SQL_ASCII."
	}
	if len(unseen) > 0 {
		f.Detail = fmt.Sprintf("Not all rows could be looked through within %s; not seen to the end: %s. The copy or the stream stops at the first character that the target cannot hold.", scanPatience, join(unseen))
	}
	return append([]Finding{f}, findings...), nil
}

// scan converts the rows of the chosen tables and returns a finding for each table
// in which that fails, and the tables for which there was no time.
func (p *preflight) scan(ctx context.Context, conversion, encoding string) (findings []Finding, unseen []string, err error) {
	end := time.Now().Add(scanPatience)
	tables := make([]*catalog.Table, 0, len(p.tables))
	for i := range p.tables {
		if t := &p.tables[i]; t.Kind == catalog.KindTable {
			tables = append(tables, t)
		}
	}
	slices.SortStableFunc(tables, func(a, b *catalog.Table) int { return cmp.Compare(a.Bytes, b.Bytes) })
	for _, t := range tables {
		left := time.Until(end).Milliseconds()
		if left <= 0 {
			unseen = append(unseen, t.String())
			continue
		}
		refused, err := probe(ctx, p.source.conn, fmt.Sprintf("SET LOCAL statement_timeout = %d; SELECT pg_catalog.count(%s) FROM ONLY %s t", left, conversion, t.Quoted()))
		switch {
		case err != nil:
			return nil, nil, err
		case refused == nil:
		case refused.Code[:2] == "22":
			findings = append(findings, Finding{
				Severity: Error,
				Object:   t.String(),
				Message:  "the table holds characters that the target's encoding " + encoding + " does not have",
				Detail:   "The source says: " + refused.Message + ".",
				Hint:     "Find the rows on the source and correct them; or use a target database of another encoding.",
			})
		default:
			unseen = append(unseen, t.String())
		}
	}
	return findings, unseen, nil
}
