package proof_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
	"github.com/walferry/walferry/internal/rowdiff"
	"github.com/walferry/walferry/internal/workload"
)

// ways are options under which the same history must end the same.
var ways = map[string][]string{
	"one_lane":           {"--apply-jobs", "1"},
	"two_lanes_text":     {"--apply-jobs", "2", "--binary", "off"},
	"eight_lanes_binary": {"--apply-jobs", "8", "--binary", "auto"},
	"streamed":           {"--streaming", "on"},
	"streamed_lanes":     {"--streaming", "on", "--apply-jobs", "2", "--binary", "off"},
}

// TestHistories_EveryWayEndsEqual applies one random history in every way, and by a
// subscription beside them.
func TestHistories_EveryWayEndsEqual(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	for round := range 1 + *long {
		t.Run(fmt.Sprint("seed ", *seed+uint64(round)), func(t *testing.T) { everyWay(t, servers, *seed+uint64(round)) })
	}
}

func everyWay(t *testing.T, servers *servers, seed uint64) {
	t.Helper()
	s := servers.scene(t)
	targets, running := map[string]scene{}, map[string]*program.Process{}
	migrate := func(more ...string) {
		for name, options := range ways {
			args := append(slices.Clone(options), "--name", name, "--max-replication-lag", "0", "--spill-dir", t.TempDir())
			running[name] = walferry(t, "", targets[name].args("migrate", append(args, more...)...)...)
		}
		for _, m := range running {
			mustExit(t, m, 0)
		}
	}
	for name := range ways {
		targets[name] = scene{source: s.source, target: servers.target.Database(t), servers: servers}
	}
	migrate()
	var native *scene
	if servers.nativeLives() {
		subscribed := servers.nativeScene(t, s)
		defer subscribed.unsubscribe(t)
		native = &subscribed
	}

	// The history: random sessions, and the events that are rare in them.
	w := s.write(t, workload.Options{Seed: seed, Sessions: 4, Truncate: true, LargeEvery: 40, LargeRows: 800, Prepare: true})
	w.committed(100)
	s.happen(t)
	w.committed(100)
	w.stop()

	migrate("--stop-replication")
	for name, way := range targets {
		t.Run(name, func(t *testing.T) {
			pgtest.Compare(t, s.source, way.target, rowdiff.Options{Sequences: true})
			way.whole(t)
		})
	}
	if native != nil {
		t.Run("native", func(t *testing.T) {
			native.caughtUp(t)
			pgtest.Compare(t, native.target, targets["one_lane"].target, rowdiff.Options{Skip: nativeDiffers(t, s.source)})
		})
	}
}

// nativeLives reports whether a subscription survives random savepoints: 18 sends aborts
// of streamed transactions to those that stream nothing, and the target's server goes down.
func (s *servers) nativeLives() bool { return s.source.Major() < 18 }

// nativeDiffers are tables that a subscription leaves otherwise than the source has
// them: docs/design/native-differences.md says why.
func nativeDiffers(t *testing.T, uri string) []string {
	t.Helper()
	rows := pgtest.Query(t, uri, `SELECT relnamespace::regnamespace::text, relname FROM pg_class c WHERE `+withoutEquality)
	differ := make([]string, len(rows))
	for i, row := range rows {
		differ[i] = strings.ReplaceAll(strings.Trim(row[0], `"`), `""`, `"`) + "." + row[1]
	}
	return differ
}

// withoutEquality is true of a table c whose rows a subscription can find by nothing.
const withoutEquality = `relkind = 'r' AND relreplident = 'f' AND EXISTS (SELECT FROM pg_attribute a
	WHERE attrelid = c.oid AND attnum > 0 AND atttypid IN ('json'::regtype, 'point'::regtype, 'xml'::regtype))`

// nativeScene is a target that a subscription keeps equal from now on. The source is quiet.
func (s *servers) nativeScene(t *testing.T, from scene) scene {
	t.Helper()
	native := scene{source: from.source, target: s.target.Database(t), servers: s}
	// It begins as a finished migration: schema, rows, keys.
	mustExit(t, walferry(t, "", native.args("migrate", "--name", "begin", "--max-replication-lag", "0", "--stop-replication")...), 0)
	mustExit(t, walferry(t, "", native.args("cleanup", "--name", "begin", "--yes")...), 0)
	// From 18 on it would stream, and its worker takes the server along.
	notStreamed := ""
	if s.target.Major() >= 14 {
		notStreamed = ", streaming = off"
	}
	full, insertOnly := identified(t, native.source)
	pgtest.Exec(t, native.source,
		"CREATE PUBLICATION native_full"+full, "CREATE PUBLICATION native_insert"+insertOnly+" WITH (publish = 'insert, truncate')",
		"SELECT pg_create_logical_replication_slot('native', 'pgoutput')")
	pgtest.Exec(t, native.target, fmt.Sprintf("CREATE SUBSCRIPTION native CONNECTION '%s' PUBLICATION native_full, native_insert WITH (slot_name = native, create_slot = false, copy_data = false%s)", native.source, notStreamed))
	return native
}

// unsubscribe leaves a database that can be dropped.
func (s scene) unsubscribe(t *testing.T) {
	t.Helper()
	pgtest.Exec(t, s.target, "ALTER SUBSCRIPTION native DISABLE", "ALTER SUBSCRIPTION native SET (slot_name = NONE)", "DROP SUBSCRIPTION native")
}

// identified lists the tables with and without a replica identity, each as FOR TABLE.
func identified(t *testing.T, uri string) (full, insertOnly string) {
	t.Helper()
	const tables = `SELECT coalesce(' FOR TABLE ' || string_agg('ONLY ' || c.oid::regclass, ', '), '') FROM pg_class c
		WHERE relkind = 'r' AND relpersistence = 'p' AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
		AND NOT (` + withoutEquality + `)
		AND (relreplident = 'f' AND (current_setting('server_version_num')::int < 180000
				OR NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attgenerated <> ''))
			OR relreplident IN ('d', 'i') AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
			AND CASE relreplident WHEN 'd' THEN indisprimary AND indimmediate ELSE indisreplident END)) = `
	return pgtest.Query(t, uri, tables+"true")[0][0], pgtest.Query(t, uri, tables+"false")[0][0]
}

// caughtUp waits until the subscription has all that the source has.
func (s scene) caughtUp(t *testing.T) {
	t.Helper()
	marker := pgtest.CurrentLSN(t, s.source)
	pgtest.Eventually(t, "the subscription has caught up", func() bool {
		return pgtest.Query(t, s.source, `SELECT confirmed_flush_lsn >= $1::pg_lsn FROM pg_replication_slots WHERE slot_name = 'native'`, marker.String())[0][0] == "t"
	})
}
