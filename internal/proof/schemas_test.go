package proof_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
	"github.com/walferry/walferry/internal/rowdiff"
	"github.com/walferry/walferry/internal/workload"
)

// schemaWay is a way in which a random history over a random schema must end equal.
type schemaWay struct {
	name string
	// options are pairs of a flag and its value.
	options [][2]string
	// program is walferry, perhaps with other bounds.
	program func() (string, error)
	// live ways run while the history does, the others find all of it in the slot.
	live bool
}

var schemaWays = []schemaWay{
	{name: "one_lane", program: built, options: [][2]string{{"--apply-jobs", "1"}}},
	{name: "live", program: built, live: true, options: [][2]string{{"--binary", "off"}}},
	{name: "streamed", program: built, options: [][2]string{{"--streaming", "on"}, {"--apply-jobs", "2"}}},
	{name: "small", program: builtSmall, options: [][2]string{{"--apply-jobs", "1"}, {"--binary", "off"}}},
	{name: "eight_lanes", program: built, options: [][2]string{{"--apply-jobs", "8"}}},
	{name: "small_lanes", program: builtSmall, options: [][2]string{{"--apply-jobs", "2"}, {"--chunk-size", "16384"}}},
	{name: "live_lanes", program: builtSmall, live: true, options: [][2]string{{"--apply-jobs", "3"}, {"--binary", "off"}}},
}

// TestSchemas_EveryWayEndsEqual applies random histories over random schemas, in several
// ways and by a subscription, and reduces what fails to a script.
func TestSchemas_EveryWayEndsEqual(t *testing.T) {
	from, to := pgtest.Majors()
	servers := &servers{source: pgtest.Start(t, from, crashSettings), target: pgtest.Start(t, to, nil)}
	for round := range 3 + 5**long {
		seed := *seed*1000 + uint64(round)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			// In the bounded form each schema is applied in half of the ways.
			ways := slices.Clone(schemaWays)
			if *long == 0 {
				r := rand.New(rand.NewPCG(seed, 1))
				r.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
				ways = ways[:3]
			}
			inEveryWay(t, servers, seed, ways)
		})
	}
}

func inEveryWay(t *testing.T, servers *servers, seed uint64, ways []schemaWay) {
	t.Helper()
	c := newSchemaCase(t, servers, seed, 8)
	running := make([]*schemaRun, len(ways))
	for i, way := range ways {
		running[i] = c.begin(t, servers, way)
	}
	for _, run := range running {
		if says := run.copied(t); says != "" {
			t.Fatalf("%s: %s", run.way.name, says)
		}
	}
	var native *scene
	if !c.publishes && servers.nativeLives() {
		s := servers.nativeScene(t, scene{source: c.source, servers: servers})
		defer s.unsubscribe(t)
		native = &s
	}
	c.record(t, seed, 80)
	says := make([]string, len(running))
	for i, run := range running {
		says[i] = run.finish(t)
	}
	for i, run := range running {
		t.Run(run.way.name, func(t *testing.T) {
			says := says[i]
			if says == "" {
				says = c.compare(t, servers, run.target)
			}
			if says != "" {
				t.Errorf("seed %d: %s", seed, says)
				s := shrinker{t: t, servers: servers, c: c.schemaCase, way: run.way, says: says}
				s.shrink()
			}
		})
	}
	if native != nil {
		t.Run("native", func(t *testing.T) {
			native.caughtUp(t)
			pgtest.Compare(t, c.source, native.target, rowdiff.Options{Skip: nativeDiffers(t, c.source)})
		})
	}
}

// schemaCase is a schema and a history, before and after the copy.
type schemaCase struct {
	schema        workload.Schema
	publishes     bool
	before, after workload.History
}

// sourceCase is one on the source.
type sourceCase struct {
	schemaCase
	source string
}

// newSchemaCase makes the source with the rows from before the copy.
func newSchemaCase(t *testing.T, servers *servers, seed uint64, tables int) *sourceCase {
	t.Helper()
	publishes := seed%3 == 2
	c := &sourceCase{schemaCase: schemaCase{publishes: publishes, schema: workload.RandomSchema(seed, servers.source.Major(), tables, publishes)}}
	c.source = servers.source.Database(t, c.schema.Statements...)
	c.before = record(t, c.source, 5*tables, workload.Options{Seed: seed, Sessions: 2})
	return c
}

// record adds what happens after the copy.
func (c *sourceCase) record(t *testing.T, seed uint64, transactions int) {
	t.Helper()
	c.after = record(t, c.source, transactions, workload.Options{Seed: seed + 1<<32, Sessions: 4, Truncate: true, LargeEvery: 25, LargeRows: 400, Prepare: true})
}

func record(t *testing.T, uri string, transactions int, o workload.Options) workload.History {
	t.Helper()
	h, err := workload.New(uri, o).Record(t.Context(), transactions)
	if err != nil {
		t.Fatalf("the source's application failed: %+v", err)
	}
	return h
}

// replayed makes the source of a case anew. What cannot run any more is left out.
func (c schemaCase) replayed(t *testing.T, servers *servers) *sourceCase {
	t.Helper()
	replayed := &sourceCase{schemaCase: c, source: servers.source.Database(t)}
	for _, sql := range c.schema.Statements {
		tryExec(t, replayed.source, sql)
	}
	replay(t, replayed.source, c.before)
	return replayed
}

func replay(t *testing.T, uri string, h workload.History) {
	t.Helper()
	if _, err := h.Replay(t.Context(), uri); err != nil {
		t.Fatalf("replay a history: %+v", err)
	}
}

// tryExec runs a statement that may fail.
func tryExec(t *testing.T, uri, sql string) {
	t.Helper()
	conn := pgtest.Connect(t, uri)
	defer conn.Close(t.Context()) //nolint:errcheck // nothing is lost
	if _, err := conn.Exec(t.Context(), sql); err != nil && conn.IsClosed() {
		t.Fatalf("%s: %v", sql, err)
	}
}

// schemaRun is one way at work.
type schemaRun struct {
	way     schemaWay
	source  string
	target  string
	args    []string
	process *program.Process
}

// begin starts the migration.
func (c *sourceCase) begin(t *testing.T, servers *servers, way schemaWay) *schemaRun {
	t.Helper()
	run := &schemaRun{way: way, source: c.source, target: servers.target.Database(t)}
	run.args = []string{"migrate", "-s", run.source, "-t", run.target, "--name", way.name, "--spill-dir", t.TempDir()}
	for _, option := range way.options {
		run.args = append(run.args, option[0], option[1])
	}
	if c.publishes {
		for _, name := range workload.UserPublications {
			run.args = append(run.args, "--publication", name)
		}
	}
	if way.live {
		run.process = startProgram(t, way.program, "", run.args...)
	} else {
		run.process = startProgram(t, way.program, "", append(run.args, "--max-replication-lag", "0")...)
	}
	return run
}

// copied waits until the rows from before are there, and says what goes wrong.
func (r *schemaRun) copied(t *testing.T) string {
	t.Helper()
	if r.way.live {
		s := scene{source: r.source, target: r.target}
		pgtest.Eventually(t, "the stream has begun", func() bool { return !r.process.Running() || s.streams(t) })
		return ""
	}
	return ended(r.process, 0)
}

// finish ends the migration of a source that is quiet now.
func (r *schemaRun) finish(t *testing.T) string {
	t.Helper()
	if r.way.live {
		if r.process.Running() {
			marker := pgtest.CurrentLSN(t, r.source)
			pgtest.Eventually(t, "all is applied", func() bool {
				return !r.process.Running() || pgtest.Query(t, r.target, `SELECT min(lsn) >= $1::pg_lsn FROM walferry.checkpoint`, marker.String())[0][0] == "t"
			})
		}
		if err := r.process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if says := ended(r.process, 3); says != "" {
			return says
		}
	}
	return ended(startProgram(t, r.way.program, "", append(slices.Clone(r.args), "--max-replication-lag", "0", "--stop-replication")...), 0)
}

// ended waits for the end and says when it is another one than expected.
func ended(p *program.Process, status int) string {
	if got := p.Wait(); got != status {
		return fmt.Sprintf("ends with %d: walferry %s\n%s", got, strings.Join(p.Cmd.Args[1:], " "), p.Stderr.String())
	}
	return ""
}

// compare says how the target differs from the part of the source that is published.
func (c *sourceCase) compare(t *testing.T, servers *servers, target string) string {
	t.Helper()
	expected := c.source
	if c.publishes {
		expected = c.published(t, servers)
	}
	result, err := rowdiff.Diff(t.Context(), expected, target, rowdiff.Options{Sequences: !c.publishes})
	if err != nil {
		t.Fatalf("compare source and target: %v", err)
	}
	if len(result.Differences) > 0 {
		return "differs: " + strings.Join(result.Differences, "\n")
	}
	return ""
}

// published is a copy of the source without what the publications leave out.
func (c *sourceCase) published(t *testing.T, servers *servers) string {
	t.Helper()
	uri := servers.source.Database(t)
	servers.clone(t, uri, pgtest.Query(t, c.source, "SELECT current_database()")[0][0])
	// What is said of a table is not said of those that inherit from it.
	pgtest.Exec(t, uri, `DO $$ DECLARE heir record; BEGIN
		FOR heir IN SELECT i.inhrelid::regclass AS name, i.inhparent::regclass AS parent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE NOT c.relispartition LOOP
			EXECUTE format('ALTER TABLE %s NO INHERIT %s', heir.name, heir.parent);
		END LOOP; END $$`)
	for i := range c.schema.Tables {
		table := &c.schema.Tables[i]
		condition := ""
		switch {
		case table.Left:
		case table.Where != "":
			condition = " WHERE (" + table.Where + ") IS NOT TRUE"
		default:
			condition = " WHERE false"
		}
		tryExec(t, uri, "SET session_replication_role = replica; DELETE FROM "+table.Name+condition)
		for _, column := range table.LeftOut {
			tryExec(t, uri, fmt.Sprintf("ALTER TABLE %s DROP %s CASCADE", table.Name, column))
		}
	}
	return uri
}
