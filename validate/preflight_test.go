package validate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
)

// scene is a migration that preflight is asked about.
type scene struct {
	t              *testing.T
	source, target string
	o              PreflightOptions
	// plain connects without what walferry sets in a session.
	plain   bool
	servers *servers
}

// servers are the special servers that several scenes use. They live as long as
// the test that asked for them first.
type servers struct {
	t             *testing.T
	poor, standby *pgtest.Cluster
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return newSceneOn(t, 15, 15)
}

func newSceneOn(t *testing.T, source, target int) *scene {
	t.Helper()
	const schema = "CREATE TABLE orders (id int PRIMARY KEY, note text)"
	return &scene{
		t:      t,
		source: pgtest.Server(t, source).Database(t, schema, "INSERT INTO orders VALUES (1, 'one')"),
		target: pgtest.Server(t, target).Database(t),
	}
}

func (s *scene) preflight() Report {
	t := s.t
	t.Helper()
	s.o.Source, s.o.SourceError = reach(t, "source", s.source)
	s.o.Target, s.o.TargetError = reach(t, "target", s.target)
	if s.plain {
		s.o.Source, s.o.Target = connect(t, s.source), connect(t, s.target)
	}
	report, err := Preflight(t.Context(), s.o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*pgx.Conn{s.o.Source, s.o.Target} {
		if c == nil {
			continue
		}
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return report
}

func (r Report) find(id, object string) *Finding {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.ID == id && f.Object == object {
			return f
		}
	}
	return nil
}

// TestPreflight_FindsWhatIsProvoked asks about a sound migration, and about many that
// were spoilt in one way each. It is not parallel: slots and transactions belong to the server.
func TestPreflight_FindsWhatIsProvoked(t *testing.T) {
	shared, sound := &servers{t: t}, newScene(t).preflight()
	for _, p := range provocations {
		t.Run(p.name(), func(t *testing.T) {
			s := newScene(t)
			s.servers = shared
			object, severity := p.provoke(s)
			for _, f := range sound.Findings {
				if f.ID == p.id && f.Severity == severity && f.ID != "target.same_server" {
					t.Fatalf("found without a provocation: %+v", f)
				}
			}
			report := s.preflight()
			f := report.find(p.id, object)
			if f == nil {
				t.Fatalf("no finding %s about %q in %+v", p.id, object, report.Findings)
			}
			if f.Severity != severity {
				t.Errorf("severity %s, want %s", f.Severity, severity)
			}
			if own := ownSeverity(p.id); severity != own && !slices.Contains(severities[p.id], severity) {
				t.Errorf("the reference does not say that %s can be a %s", p.id, severity)
			}
			if severity == Error && report.OK() {
				t.Error("the report is ok in spite of an error")
			}
			if f.Message == "" || strings.HasSuffix(f.Message, ".") {
				t.Errorf("message %q", f.Message)
			}
			for _, sentence := range []string{f.Detail, f.Hint} {
				if sentence != "" && !strings.HasSuffix(sentence, ".") && !strings.HasSuffix(sentence, ";") {
					t.Errorf("not a sentence: %q", sentence)
				}
			}
			t.Logf("%s %s %s: %s\n%s\n%s", f.ID, f.Severity, f.Object, f.Message, f.Detail, f.Hint)
		})
	}
}

// TestPreflight_EveryCheckIsProvoked keeps the table of provocations complete.
func TestPreflight_EveryCheckIsProvoked(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, g := range groups {
		for _, c := range g.checks {
			if known[c.id] {
				t.Errorf("two checks have the id %s", c.id)
			}
			known[c.id] = true
			if c.id == skippedDatabase {
				continue // internal/engine chooses databases, and its tests provoke it
			}
			if !slices.ContainsFunc(provocations, func(p provocation) bool { return p.id == c.id }) {
				t.Errorf("no test provokes %s", c.id)
			}
			if c.cause == "" || c.remedy == "" {
				t.Errorf("the reference lacks cause or remedy of %s", c.id)
			}
		}
	}
	for _, p := range provocations {
		if !known[p.id] {
			t.Errorf("%s is provoked and no check", p.id)
		}
	}
}

func TestPreflight_HasNothingAgainstASoundMigration(t *testing.T) {
	for _, majors := range [][2]int{{13, 18}, {15, 15}, {18, 18}} {
		t.Run(fmt.Sprintf("%d to %d", majors[0], majors[1]), func(t *testing.T) {
			report := newSceneOn(t, majors[0], majors[1]).preflight()
			// The databases of one major are on one server.
			report.Findings = slices.DeleteFunc(report.Findings, func(f Finding) bool { return f.ID == "target.same_server" || f.Severity == Info })
			if len(report.Findings) > 0 || !report.OK() {
				t.Errorf("findings: %+v", report.Findings)
			}
			text, err := json.Marshal(report)
			if err != nil || !strings.HasPrefix(string(text), `{"schema_version":1,"ok":true,"findings":[],"method":"replication","tables":[{"table":"public.orders","bytes":`) {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}

func TestPreflight_ChecksOnlyWhatACopyNeeds(t *testing.T) {
	s := newScene(t)
	pgtest.Exec(t, s.source, "CREATE TABLE keyless (id int)")
	name := role(t, s.source, "")
	pgtest.Exec(t, s.source, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+name)
	s.source = pgtest.As(t, s.source, name)
	if report := s.preflight(); report.OK() {
		t.Error("a role without rights can replicate")
	}
	s.o.Method = Dump
	if report := s.preflight(); !report.OK() {
		t.Errorf("a role that can read cannot copy: %+v", report.Findings)
	}
}

func TestPreflight_KnowsSubstitutesForReplication(t *testing.T) {
	s := newScene(t)
	name := role(t, s.source, "")
	pgtest.Exec(t, s.source, `DO $$BEGIN IF to_regrole('rds_replication') IS NULL THEN CREATE ROLE rds_replication; END IF; END$$;
		GRANT rds_replication TO `+name)
	s.source = pgtest.As(t, s.source, name)
	if f := s.preflight().find("source.replication_right", name); f != nil {
		t.Errorf("finding %+v", f)
	}
}

func TestPreflight_ChoiceThatNamesNothingIsAnError(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.o.Tables = []string{"no_such_table"}
	s.o.Source, s.o.Target = connect(t, s.source), connect(t, s.target)
	if _, err := Preflight(t.Context(), s.o); err == nil || !strings.Contains(err.Error(), "no_such_table") {
		t.Errorf("error %v", err)
	}
}

func TestPreflight_ResumingAcceptsWhatIsItsOwn(t *testing.T) {
	s := newScene(t)
	pgtest.Exec(t, s.source, "SELECT pg_create_logical_replication_slot('resumed_slot', 'pgoutput')", "CREATE PUBLICATION resumed FOR TABLE orders")
	pgtest.Exec(t, s.target, "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, 'one')")
	s.o.Slot, s.o.NewPublications = "resumed_slot", []string{"resumed"}
	if report := s.preflight(); report.OK() {
		t.Error("an existing slot is accepted")
	}
	s.o.Resuming = true
	if report := s.preflight(); !report.OK() {
		t.Errorf("findings: %+v", report.Findings)
	}
}

func ownSeverity(id string) (s Severity) {
	for _, g := range groups {
		for i := range g.checks {
			if g.checks[i].id == id {
				s = g.checks[i].severity
			}
		}
	}
	return s
}
