package validate

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/golden"
)

// words maps what the reference tool, pg_migrate, refuses or warns of to the
// findings that say it here. TestPreflight_SaysAtLeastAsMuch provokes them.
var words = []struct {
	says string
	ids  []string
}{
	{"Stopping replication requires also '--max-replication-lag' >= 0", nil},
	{"Migrating to the same server is not supported", []string{"target.same_server"}},
	{"Migrating to older major PostgreSQL server version is not supported", []string{"target.version"}},
	{"Couldn't find bin dir for any pg version between '…' and '…', tried […]", []string{"walferry.programs"}},
	{"Database '…' doesn't exist in target (not creating databases)", []string{"target.connection"}},
	{"Databases do not fit to the required maximum size (… > …)", []string{"source.size"}},
	{"Languages not installed in target: …", []string{"target.languages"}},
	{"Installed extension '…' in target database '…' is older than in source, target version: …, source version: …", []string{"target.extensions"}},
	{"Extension '…' is not available for installation in target", []string{"target.extensions"}},
	{"Extension '…' version available for installation in target is too old, source version: …, target version: …", []string{"target.extensions"}},
	{"Installing extension '…' in target requires superuser", []string{"target.extensions"}},
	{"Invalid version: '…'", []string{"target.extensions"}},
	{"Some superuser roles from source database (…) are not allowed in target database", []string{"target.roles"}},
	{"Large objects detected: large objects are not compatible with logical replication", []string{"source.large_objects"}},
	{"Access to source database '…' is rejected", []string{"source.connection"}},
	{"Migrating to older PostgreSQL server version is not recommended", []string{"target.version"}},
}

// TestGolden_Reference keeps docs/reference/validate.md what the checks say.
func TestGolden_Reference(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	page.WriteString("# Findings of validate\n\nWritten by `make golden` from the checks; do not edit. `walferry validate` asks all of them, `migrate` those that a\n" +
		"new migration needs. An **error** blocks, a **warning** does not, a **note** (`info` in JSON) is good to know; a check may answer\n" +
		"with less than its own severity. Nothing is changed: a temporary slot and statements that are rolled back are all that is tried.\n")
	for _, g := range groups {
		fmt.Fprintf(&page, "\n## %s\n", g.title)
		for i := range g.checks {
			c := &g.checks[i]
			fmt.Fprintf(&page, "\n### %s\n\n%s\n\n%s\n\nRemedy: %s\n", c.id, severitiesOf(c), c.cause, c.remedy)
		}
	}
	page.WriteString("\n## For users of pg_migrate\n\nWhat it says in its validation, and which finding says it here.\n\n| pg_migrate | walferry |\n|---|---|\n")
	for _, w := range words {
		ids := strings.Join(w.ids, ", ")
		if ids == "" {
			ids = "an error of the command line: `--stop-replication needs --max-replication-lag`"
		}
		fmt.Fprintf(&page, "| %s | %s |\n", w.says, ids)
	}
	golden.Check(t, filepath.Join("..", "docs", "reference", "validate.md"), page.Bytes())
}

// severitiesOf names what a check can answer with, by what provokes it.
func severitiesOf(c *check) string {
	var all []string
	for _, s := range []Severity{Error, Warning, Info} {
		provoked := slices.ContainsFunc(severities[c.id], func(o Severity) bool { return o == s })
		if s == c.severity || provoked {
			name := string(s)
			if s == Info {
				name = "note"
			}
			all = append(all, "*"+name+"*")
		}
	}
	return strings.Join(all, " or ") + onlyReplication(c)
}

func onlyReplication(c *check) string {
	if c.replication {
		return ", only for replication"
	}
	return ""
}

// severities are what checks answer with beside their own severity.
var severities = map[string][]Severity{
	"source.large_objects":     {Warning},
	"source.minor_version":     {Info},
	"source.publications":      {Warning},
	"source.locks":             {Warning},
	"source.size":              {Error},
	"source.slots":             {Warning},
	"source.create_slot":       {Warning},
	"source.version":           {Warning},
	"source.wal_rate":          {Warning},
	"source.walsenders":        {Warning},
	"target.columns":           {Warning},
	"target.encoding":          {Error},
	"target.exists":            {Warning},
	"target.extensions":        {Warning},
	"target.preload":           {Warning},
	"target.rows":              {Warning},
	"target.same_server":       {Warning},
	"target.superuser_objects": {Warning},
	"target.version":           {Warning},
}

// TestSeverities holds the reference to what the provocations answer.
func TestSeverities(t *testing.T) {
	t.Parallel()
	for _, g := range groups {
		for i := range g.checks {
			c := &g.checks[i]
			if s := severities[c.id]; slices.Contains(s, c.severity) {
				t.Errorf("%s: its own severity is listed again", c.id)
			}
		}
	}
}
