package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/walferry/walferry/validate"
)

// TestPrintReport shows errors first, what is said of several objects once, and no
// line that is longer than a terminal's.
func TestPrintReport(t *testing.T) {
	t.Parallel()
	report := validate.Report{Method: validate.Replication, Findings: []validate.Finding{
		{ID: "source.size", Severity: validate.Info, Object: "app", Message: "2 tables are to be moved, 1.0 GiB"},
		{ID: "source.wal_level", Severity: validate.Error, Object: "wal_level", Message: "wal_level is replica on the source, replication needs logical", Hint: strings.Repeat("On the source, run: ALTER SYSTEM SET wal_level = logical; ", 3)},
	}}
	for n := range 10 {
		name := "public.t" + strconv.Itoa(n)
		report.Findings = append(report.Findings, validate.Finding{
			ID: "source.identity", Severity: validate.Warning, Object: name, Message: "UPDATE and DELETE cannot be replicated", Detail: "The same for all.", Hint: "Run: ALTER TABLE " + name + " REPLICA IDENTITY FULL;",
		})
	}
	var out strings.Builder
	if err := printReport(&out, report); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for line := range strings.Lines(text) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 {
			t.Errorf("longer than 80 columns: %s", line)
		}
	}
	order := []string{"error    source.wal_level", "warning  source.identity", "- public.t0", "REPLICA IDENTITY FULL", "… and 2 more", "The same for all.", "note     source.size: app", "Method: replication.", "1 error, 10 warnings, 1 note.", "The migration is blocked."}
	at := -1
	for _, part := range order {
		next := strings.Index(text, part)
		if next <= at {
			t.Errorf("%q is not there or too early:\n%s", part, text)
		}
		at = next
	}
	if strings.Count(text, "The same for all.") != 1 || strings.Contains(text, "public.t9") {
		t.Errorf("what is the same is told again:\n%s", text)
	}
}
