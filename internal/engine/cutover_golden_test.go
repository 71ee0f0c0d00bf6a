package engine_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/golden"
	"github.com/walferry/walferry/internal/pgtest"
)

// changing is what differs from run to run in the plan of a cutover.
var changing = regexp.MustCompile(`t\d+_golden\w*|\bsession \d+|\d[\d.]* (B|KiB|MiB) behind`)

// TestGolden_CutoverDryRun says what a cutover would do, and changes nothing.
func TestGolden_CutoverDryRun(t *testing.T) {
	p := smallPair(t, `CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM child`,
		`CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$`,
		`CREATE TRIGGER acts BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION act()`)
	p.caughtUp(t)
	const state = `SELECT (SELECT count(*) FROM walferry.step), (SELECT count(*) FROM walferry.fence), (SELECT epoch FROM walferry.migration),
		(SELECT count(*) FROM walferry.entry WHERE state = 'pending')`
	before := strings.Join(pgtest.Query(t, p.target, state)[0], " ")
	other := pgtest.Connect(t, strings.Replace(p.source, "?", "?application_name=shop&", 1))
	m := run(t, 0, p.args("cutover", "--dry-run", "--quiet")...)
	if err := other.Ping(t.Context()); err != nil {
		t.Errorf("a dry run ended a session: %v", err)
	}
	if after := strings.Join(pgtest.Query(t, p.target, state)[0], " "); after != before || refuses(t, p.source) {
		t.Errorf("a dry run changed something: %s, %s", before, after)
	}
	got := changing.ReplaceAllStringFunc(m.Stdout.String(), func(text string) string {
		switch {
		case strings.HasPrefix(text, "session"):
			return "session PID"
		case strings.HasSuffix(text, "behind"):
			return "SOME BYTES behind"
		}
		return "DATABASE"
	})
	golden.Check(t, "testdata/cutover_dry_run.txt", []byte(got))
}
