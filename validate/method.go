package validate

import (
	"context"
	"strings"
)

var methodChecks = []check{{
	id: "migration.method", severity: Warning, needs: both, run: decideMethod,
	cause:  "The method is `auto`, and something stands against replication that does not stand against one consistent copy.",
	remedy: "Nothing, if the source may stand still while it is copied. Otherwise heal what is named, or ask for `--method replication`, which then blocks.",
}}

// decideMethod is the last check: it knows what the others found. What stands
// against replication only does not block a dump, and becomes a warning.
func decideMethod(_ context.Context, p *preflight) ([]Finding, error) {
	p.report.Method = p.Method
	if p.Method == "" || p.Method == Auto {
		p.report.Method = Replication
	}
	if p.Method != Auto || len(p.against) == 0 || len(p.Publications) > 0 || p.Resuming {
		return nil, nil
	}
	var reasons, ids []string
	for i := range p.against {
		f := &p.against[i]
		if len(ids) == 0 || ids[len(ids)-1] != f.ID {
			ids = append(ids, f.ID)
			reasons = append(reasons, f.Message+" ("+f.ID+")")
		}
	}
	for i := range p.report.Findings {
		if f := &p.report.Findings[i]; f.Severity == Error {
			for _, id := range ids {
				if f.ID == id {
					f.Severity = Warning
				}
			}
		}
	}
	p.report.Method, p.report.Reason = Dump, strings.Join(reasons, "; ")
	return []Finding{{
		Object:  p.source.database,
		Message: "replication is not possible, so the method is dump: one consistent copy, without what is written after it began",
		Detail:  "Against replication: " + p.report.Reason + ".",
		Hint:    "Stop writing to the source before the migration and until the application uses the target; or heal what is named, to migrate while the source is being written to.",
	}}, nil
}
