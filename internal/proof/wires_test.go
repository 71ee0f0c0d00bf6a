package proof_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
	"github.com/walferry/walferry/internal/wire"
	"github.com/walferry/walferry/internal/workload"
)

// run is a walferry between two proxies, while the application writes.
type run struct {
	*testing.T

	scene  // the servers themselves
	m      *program.Process
	w      *writers
	r      *rand.Rand
	source *wire.Proxy
	target *wire.Proxy
}

// appliesMore waits until what the source has committed by now is on the target.
func (r *run) appliesMore() {
	r.Helper()
	r.w.committed(3)
	marker := pgtest.CurrentLSN(r.T, r.scene.source)
	pgtest.Eventually(r.T, "walferry goes on", func() bool {
		if !r.m.Running() {
			r.Fatalf("walferry ended with status %d", r.m.Wait())
		}
		return pgtest.Query(r.T, r.scene.target, `SELECT coalesce(min(lsn) >= $1::pg_lsn, false) FROM walferry.checkpoint`, marker.String())[0][0] == "t"
	})
}

// cutAt lets one message of a side meet its fate, and waits until one has.
func (r *run) cutAt(p *wire.Proxy, fate wire.Fate, chosen func(wire.Message) bool) {
	r.Helper()
	var left atomic.Int64
	left.Store(int64(1 + r.r.IntN(5)))
	p.Rule(func(m wire.Message) wire.Fate {
		if chosen(m) && left.Add(-1) == 0 {
			return fate
		}
		return wire.Pass
	})
	r.w.committed(3)
	pgtest.Eventually(r.T, "the message has come", func() bool { return left.Load() <= 0 || !r.m.Running() })
	p.Rule(nil)
}

func (r *run) terminate(uri string) {
	r.Helper()
	pgtest.Exec(r.T, uri, terminateSQL)
}

const terminateSQL = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'walferry%'
	AND application_name <> 'walferry/workload' AND datname = current_database()`

// commitStatement is what pgx calls the statement COMMIT once it has prepared it: by its hash.
var commitStatement = func() string {
	sum := sha256.Sum256([]byte("COMMIT"))
	return "stmtcache_" + hex.EncodeToString(sum[:24])
}()

func isCommit(m wire.Message) bool {
	return m.FromClient && (m.Kind == 'Q' && strings.Contains(string(m.Head), "COMMIT") || m.Kind == 'B' && strings.Contains(string(m.Head), commitStatement))
}

func isData(fromClient bool) func(wire.Message) bool {
	return func(m wire.Message) bool { return m.FromClient == fromClient && m.Kind == 'd' }
}

// patient frees a session of the target from the timeouts of its database.
const patient = "SET lock_timeout = 0; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; "

// disasters happen to one run after the other. It goes on by itself after each.
var disasters = map[string]func(*run){
	"the source's connections are cut": func(r *run) { r.source.Cut() },
	"the target's connections are cut": func(r *run) { r.target.Cut() },
	"a change is cut in half":          func(r *run) { r.cutAt(r.source, wire.CutInside, isData(false)) },
	"a status update is lost":          func(r *run) { r.cutAt(r.source, wire.CutBefore, isData(true)) },
	"a COMMIT is lost":                 func(r *run) { r.cutAt(r.target, wire.CutBefore, isCommit) },
	"the answer to a COMMIT is lost":   func(r *run) { r.cutAt(r.target, wire.CutAfter, isCommit) },
	"an answer of the target is torn": func(r *run) {
		r.cutAt(r.target, wire.CutInside, func(m wire.Message) bool { return !m.FromClient && m.Kind == 'C' })
	},
	"the source stalls": func(r *run) { r.source.Stall(); r.w.committed(20); r.source.Resume() },
	"the target stalls": func(r *run) { r.target.Stall(); r.w.committed(20); r.target.Resume() },
	"bytes come one by one": func(r *run) {
		r.source.Split(1)
		r.target.Split(1)
		r.w.committed(3)
		r.source.Split(0)
		r.target.Split(0)
	},
	"the source cannot be reached": func(r *run) { r.source.Refuse(true); r.w.committed(20); r.source.Refuse(false) },
	"the target cannot be reached": func(r *run) { r.target.Refuse(true); r.w.committed(20); r.target.Refuse(false) },
	"the source ends our sessions": func(r *run) { r.terminate(r.scene.source) },
	"the target ends our sessions": func(r *run) { r.terminate(r.scene.target) },
	"the source restarts":          func(r *run) { r.restart(r.servers.source, false) },
	"the source crashes":           func(r *run) { r.restart(r.servers.source, true) },
	"the target restarts":          func(r *run) { r.restart(r.servers.target, false) },
	"the target crashes":           func(r *run) { r.restart(r.servers.target, true) },
	"a table is locked": func(r *run) {
		conn := pgtest.Connect(r.T, r.scene.target)
		if _, err := conn.Exec(r.Context(), patient+"BEGIN; LOCK TABLE witness.counter"); err != nil {
			r.Fatal(err)
		}
		pgtest.Eventually(r.T, "walferry waits for the lock", func() bool {
			return pgtest.Query(r.T, r.scene.target, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'witness.counter'::regclass")[0][0] != "0"
		})
		// For longer than the database's timeouts allow others.
		pgtest.Eventually(r.T, "walferry has waited for long", func() bool {
			return pgtest.Query(r.T, r.scene.target, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
				AND application_name LIKE 'walferry%' AND clock_timestamp() > query_start + interval '2 s'`)[0][0] != "0"
		})
		r.w.committed(20)
		if err := conn.Close(r.Context()); err != nil {
			r.Fatal(err)
		}
	},
	"another session deadlocks with us": func(r *run) {
		// It holds the table that comes second, and asks for the first while walferry waits.
		conn := pgtest.Connect(r.T, r.scene.target)
		if _, err := conn.Exec(r.Context(), patient+"SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE witness.trail IN SHARE MODE"); err != nil {
			r.Fatal(err)
		}
		pgtest.Eventually(r.T, "walferry waits for the lock", func() bool {
			return pgtest.Query(r.T, r.scene.target, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'witness.trail'::regclass")[0][0] != "0"
		})
		if _, err := conn.Exec(r.Context(), "LOCK TABLE witness.counter IN SHARE MODE; COMMIT"); err != nil {
			r.Logf("the other session was the victim: %v", err)
		}
		if err := conn.Close(r.Context()); err != nil {
			r.Fatal(err)
		}
	},
	"the source has no connection left": func(r *run) { r.exhaust(r.scene.source) },
	"the target has no connection left": func(r *run) { r.exhaust(r.scene.target) },
}

// exhaust takes all connections of a server for a while.
func (r *run) exhaust(uri string) {
	r.Helper()
	taken := []*pgx.Conn{pgtest.Connect(r.T, uri)} // before walferry can have the last one
	for {
		if _, err := taken[0].Exec(r.Context(), terminateSQL); err != nil {
			r.Fatal(err)
		}
		conn, err := pgx.Connect(r.Context(), uri)
		if err != nil {
			break // it was the last one
		}
		taken = append(taken, conn)
	}
	r.w.committed(10)
	for _, conn := range taken {
		if err := conn.Close(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *run) restart(c *pgtest.Cluster, crash bool) {
	r.Helper()
	if err := c.Restart(r.Context(), crash); err != nil {
		r.Fatal(err)
	}
}

// TestWires_EveryDisaster lets everything happen to one run under load, in the copy
// and in the stream.
func TestWires_EveryDisaster(t *testing.T) {
	few := map[string]string{"max_connections": "25"}
	settings := maps.Clone(few)
	maps.Copy(settings, crashSettings)
	servers := newServers(t, settings, few)
	for round := range 1 + *long {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) { everyDisaster(t, servers, *seed+uint64(round)) })
	}
}

func everyDisaster(t *testing.T, servers *servers, seed uint64) {
	t.Helper()
	s := servers.scene(t)
	r := &run{T: t, scene: s, r: rand.New(rand.NewPCG(seed, 0))}
	var from, to string
	r.source, from = wire.Through(t, s.source)
	r.target, to = wire.Through(t, s.target)
	r.w = s.write(t, workload.Options{Seed: seed, Sessions: 2, Truncate: true, LargeEvery: 50, LargeRows: 300, Prepare: true})
	stopWatch := s.watch(t, false)
	name := pgx.Identifier{pgtest.Query(t, s.target, "SELECT current_database()")[0][0]}.Sanitize()
	pgtest.Exec(t, s.target, "ALTER DATABASE "+name+" SET lock_timeout = '1s'", "ALTER DATABASE "+name+" SET statement_timeout = '1s'",
		"ALTER DATABASE "+name+" SET idle_in_transaction_session_timeout = '1s'")

	// The copy is cut in the middle of the rows, on both sides.
	r.source.Rule(cutOnce(isData(false)))
	r.target.Rule(cutOnce(isData(true)))
	r.m = walferry(t, "", "migrate", "-s", from, "-t", to, "--retry-for", "5m")
	pgtest.Eventually(t, "the stream has begun", func() bool {
		if !r.m.Running() {
			t.Fatalf("walferry ended in the copy with status %d", r.m.Wait())
		}
		return s.streams(t)
	})
	r.source.Rule(nil)
	r.target.Rule(nil)
	r.appliesMore()
	names := make([]string, 0, len(disasters))
	for name := range disasters {
		names = append(names, name)
	}
	slices.Sort(names)
	r.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		t.Log(name)
		disasters[name](r)
		r.appliesMore()
	}
	if err := r.m.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	mustExit(t, r.m, 3)
	r.w.stop()
	stopWatch()
	finishMigration(t, s)
	s.equal(t, true)
}

// cutOnce cuts the third message that is chosen in half.
func cutOnce(chosen func(wire.Message) bool) func(wire.Message) wire.Fate {
	var n atomic.Int64
	return func(m wire.Message) wire.Fate {
		if chosen(m) && n.Add(1) == 3 {
			return wire.CutInside
		}
		return wire.Pass
	}
}
