package proof_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
	"github.com/walferry/walferry/internal/workload"
)

// A scenario is a way of running walferry, which is killed in it at each place that it
// passes, started again, and leaves an equal target.
type scenario struct {
	name string
	// run runs walferry with the failpoint until it has ended, and whatever the
	// application does meanwhile. It returns the phase in which it was killed.
	run func(t *testing.T, s scene, failpoint string) (phase string)
	// again runs the same command once more, to the end.
	again func(t *testing.T, s scene)
	// unfinished migrations leave sequences ahead of the source.
	unfinished bool
	// marks are places of which the scenario passes at least one.
	marks []string
}

var crashSettings = map[string]string{"logical_decoding_work_mem": "64kB"}

var scenarios = []scenario{
	{name: "stream", run: streamUntilKilled, again: finishMigration, marks: []string{"slot: created", "spill: block written"}},
	{name: "lanes", run: lanesUntilKilled, again: finishMigration},
	{name: "again", run: copyAgainUntilKilled, again: finishMigration, marks: []string{"snapshot: exported again"}},
	{name: "finish", run: finishNewDatabase, again: finishMigration, marks: []string{"database: created", "slot: dropped"}},
	{name: "cutover", run: cutoverUntilKilled, again: cutoverAgain, marks: []string{"slot: dropped", "cutover: decide before it is recorded"}},
	{name: "abort", run: abortUntilKilled, again: abortAgain, marks: []string{"fence: before it is forgotten"}},
	{name: "cleanup", run: cleanupUntilKilled, again: cleanAgain, unfinished: true, marks: []string{"slot: dropped"}},
}

// share is one of how many places, and of how many mutants, the bounded form takes;
// which ones, the seed says.
const share = 4

// chosen reports whether the i-th is the bounded form's, or this is not that.
func chosen(i int) bool {
	return *long > 0 || *update || *mutant != "" || uint64(i)%share == *seed%share
}

// TestCrash_EveryPlace kills walferry at every place of every scenario, in its bounded
// form at a share of the places, in the first scenario that passes them.
func TestCrash_EveryPlace(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	r := rand.New(rand.NewPCG(*seed, 0))
	places := map[string][]string{} // scenarios that pass a place
	m := matrix{phases: map[string]string{}}
	failpoints := map[string][]string{}
	whole := true // all scenarios were chosen
	for _, c := range scenarios {
		hits := c.trace(t, servers)
		whole = whole && len(hits) > 0
		for _, name := range slices.Sorted(maps.Keys(hits)) {
			places[name] = append(places[name], c.name)
			if first := len(places[name]) == 1; first && !chosen(len(places)) || !first && !*update && *long == 0 {
				continue
			}
			for _, n := range times(r, hits[name]) {
				failpoints[c.name] = append(failpoints[c.name], fmt.Sprintf("%s=kill@%d", name, n))
			}
		}
	}
	t.Logf("kills: %v", failpoints)
	t.Run("kill", func(t *testing.T) {
		for _, c := range scenarios {
			for _, failpoint := range failpoints[c.name] {
				t.Run(c.name+"/"+failpoint, func(t *testing.T) {
					t.Parallel()
					m.add(failpoint, c.name, c.crash(t, servers.scene(t), failpoint))
				})
			}
		}
	})
	if !whole {
		return
	}
	for _, name := range placesInSource(t) {
		if places[name] == nil {
			t.Errorf("no scenario passes the place %q", name)
		}
	}
	m.write(t, places)
}

// times chooses the hits of a place at which to kill: the first, and in the long form others.
func times(r *rand.Rand, hits int) []int {
	all := []int{1}
	for range *long {
		if n := 1 + r.IntN(hits); !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

// trace runs the scenario without a crash and returns how often it passed each place.
func (c scenario) trace(t *testing.T, servers *servers) map[string]int {
	t.Helper()
	hits := map[string]int{}
	t.Run(c.name+"/without", func(t *testing.T) {
		s := servers.scene(t)
		file := filepath.Join(t.TempDir(), "trace")
		if phase := c.run(t, s, traceTo+file); phase != "" {
			t.Errorf("killed in phase %q, nobody should", phase)
		}
		c.again(t, s)
		s.equal(t, !c.unfinished)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			hits[strings.TrimSpace(line)]++
		}
		for _, mark := range c.marks {
			if hits[mark] == 0 {
				t.Errorf("the scenario does not pass %q", mark)
			}
		}
	})
	return hits
}

// crash kills walferry at the failpoint, and goes on. It returns the phase in which
// that was.
func (c scenario) crash(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	phase = c.run(t, s, failpoint)
	c.again(t, s)
	s.equal(t, !c.unfinished)
	return phase
}

// killed waits until walferry has ended, and returns the phase of the migration if a
// signal ended it. Anything else is expected only without a failpoint to die at, or
// when that is not the first time of a place.
func (s scene) killed(t *testing.T, m *program.Process, failpoint string) (phase string) {
	t.Helper()
	switch status := m.Wait(); {
	case status == -1:
		if phase = s.phase(t); phase == "" {
			phase = "none"
		}
	case strings.HasSuffix(failpoint, "@1"):
		t.Errorf("walferry exited with %d, it should be killed", status)
	case !strings.HasPrefix(failpoint, traceTo):
		t.Logf("this time the place was not passed as often as before: not killed")
	}
	return phase
}

// streamUntilKilled migrates under load. Without a failpoint to die at, it stops once
// the events are applied.
func streamUntilKilled(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	return migrateUntilKilled(t, s, failpoint, false, "--streaming", "on", "--spill-dir", t.TempDir(), "--chunk-size", "32768")
}

// lanesUntilKilled does so with three lanes, where the first run had one.
func lanesUntilKilled(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	first := walferry(t, "", s.args("migrate")...)
	pgtest.Eventually(t, "the stream has begun", func() bool { return !first.Running() || s.streams(t) })
	if err := first.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	mustExit(t, first, 3)
	return migrateUntilKilled(t, s, failpoint, true, "--apply-jobs", "3")
}

func migrateUntilKilled(t *testing.T, s scene, failpoint string, tornAllowed bool, more ...string) (phase string) {
	t.Helper()
	w := s.write(t, workload.Options{Seed: *seed, Sessions: 2, Truncate: true, LargeEvery: 50, LargeRows: 300, Prepare: true})
	stopWatch := s.watch(t, tornAllowed)
	m := walferry(t, failpoint, s.args("migrate", more...)...)
	pgtest.Eventually(t, "the stream has begun", func() bool { return !m.Running() || s.streams(t) })
	s.happen(t)
	w.committed(30)
	marker := pgtest.CurrentLSN(t, s.source)
	pgtest.Eventually(t, "the events are applied, or walferry is killed", func() bool {
		return !m.Running() || pgtest.Query(t, s.target, `SELECT min(lsn) > $1::pg_lsn FROM walferry.checkpoint`, marker.String())[0][0] == "t"
	})
	if !m.Running() {
		w.committed(10) // while nobody looks
		phase = s.killed(t, m, failpoint)
	} else {
		if err := m.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		switch m.Wait() {
		case -1:
			phase = s.killed(t, m, failpoint)
		case 3:
			if !strings.HasPrefix(failpoint, traceTo) {
				t.Logf("this time the place was not passed as often as before: not killed")
			}
		default:
			t.Errorf("walferry exited with %d", m.Wait())
		}
	}
	// The same command goes on, and the application too.
	if len(more) > 0 {
		m = walferry(t, "", s.args("migrate", more...)...)
		// The phase may be the killed run's: that this one answers to signals shows its log.
		pgtest.Eventually(t, "the stream has begun again", func() bool { return !m.Running() || m.Stderr.String() != "" && s.streams(t) })
		w.committed(5)
		if err := m.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		mustExit(t, m, 3)
	}
	stopWatch()
	w.stop()
	return phase
}

// finishMigration drains and finishes what a quiet source has.
func finishMigration(t *testing.T, s scene) {
	t.Helper()
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0", "--stop-replication")...), 0)
}

// finishUntilKilled is a migration of a quiet source from nothing to the end.
func finishUntilKilled(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	return s.killed(t, walferry(t, failpoint, s.args("migrate", "--max-replication-lag", "0", "--stop-replication")...), failpoint)
}

// finishNewDatabase is one whose database walferry makes.
func finishNewDatabase(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	name := pgtest.Query(t, s.target, "SELECT current_database()")[0][0]
	pgtest.Exec(t, s.servers.target.URI("postgres"), "DROP DATABASE "+pgx.Identifier{name}.Sanitize())
	return finishUntilKilled(t, s, failpoint)
}

// copyAgainUntilKilled is one that has lost its snapshot in the copy.
func copyAgainUntilKilled(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	mustExit(t, walferry(t, "copy: committed=kill@1", s.args("migrate")...), -1)
	return finishUntilKilled(t, s, failpoint)
}

// cleanupUntilKilled gives up a migration in its stream.
func cleanupUntilKilled(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	return s.killed(t, walferry(t, failpoint, s.args("cleanup", "--yes", "--restore")...), failpoint)
}

func cleanAgain(t *testing.T, s scene) {
	t.Helper()
	if s.phase(t) == "" {
		return // it was killed after the last effect
	}
	mustExit(t, walferry(t, "", s.args("cleanup", "--yes", "--restore")...), 0)
}

// cutoverUntilKilled ends a migration by closing the source.
func cutoverUntilKilled(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	s.happen(t)
	// The stream does not have it, the cutover does.
	pgtest.Exec(t, s.source, "SELECT lo_put(oid, 3, 'changed') FROM pg_largeobject_metadata")
	idle := pgtest.Connect(t, s.source)
	if err := idle.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.killed(t, walferry(t, failpoint, s.args("cutover")...), failpoint)
}

// abortUntilKilled opens a source again that a killed cutover has left closed.
func abortUntilKilled(t *testing.T, s scene, failpoint string) (phase string) {
	t.Helper()
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	mustExit(t, walferry(t, "cutover: drain before it is recorded=kill@1", s.args("cutover")...), -1)
	return s.killed(t, walferry(t, failpoint, s.args("cutover", "--abort")...), failpoint)
}

func abortAgain(t *testing.T, s scene) {
	t.Helper()
	mustExit(t, walferry(t, "", s.args("cutover", "--abort")...), 0)
	s.happen(t) // the application may write
	finishMigration(t, s)
}

func cutoverAgain(t *testing.T, s scene) {
	t.Helper()
	mustExit(t, walferry(t, "", s.args("cutover")...), 0)
}
