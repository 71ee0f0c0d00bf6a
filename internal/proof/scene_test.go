package proof_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
	"github.com/walferry/walferry/internal/workload"
)

// servers are a source and a target for several scenes.
type servers struct {
	source, target *pgtest.Cluster
	template       string
	// tenants has the scenes' targets be owned by a role with no other right.
	tenants bool
}

// newServers starts both, and loads the ugly schema with the witness once.
func newServers(t *testing.T, settings, targetSettings map[string]string) *servers {
	t.Helper()
	from, to := pgtest.Majors()
	s := &servers{source: pgtest.Start(t, from, settings), target: pgtest.Start(t, to, targetSettings), template: "template_proof"}
	pgtest.Exec(t, s.source.URI("postgres"), "CREATE DATABASE "+s.template)
	if err := workload.LoadUgly(t.Context(), s.source.URI(s.template), 1); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, s.source.URI(s.template), witnessSchema, eventsSchema)
	return s
}

// scene is one migration's source and target.
type scene struct {
	source, target string
	servers        *servers
	// tenant is the role by which walferry connects to the target, empty for a superuser.
	tenant string
}

// tenancy makes the target's database that of a role that is nothing else, as
// docs/guide/few-rights.md has it.
func (s scene) tenancy(t *testing.T) scene {
	t.Helper()
	s.tenant = "tenant"
	name := pgx.Identifier{pgtest.Query(t, s.target, "SELECT current_database()")[0][0]}.Sanitize()
	pgtest.Exec(t, s.target, `DO $$ BEGIN CREATE ROLE tenant LOGIN; EXCEPTION WHEN duplicate_object THEN END $$`,
		"ALTER DATABASE "+name+" OWNER TO tenant")
	if s.servers.target.Major() < 15 {
		pgtest.Exec(t, s.target, "ALTER SCHEMA public OWNER TO tenant")
	}
	return s
}

// cloning serializes copies of the template, which nobody may be connected to.
var cloning sync.Mutex

func (s *servers) scene(t *testing.T) scene {
	t.Helper()
	uri := s.source.Database(t)
	s.clone(t, uri, s.template)
	made := scene{source: uri, target: s.target.Database(t), servers: s}
	if s.tenants {
		return made.tenancy(t)
	}
	return made
}

// clone makes an empty database of the source a copy of another one.
func (s *servers) clone(t *testing.T, uri, template string) {
	t.Helper()
	name := pgtest.Query(t, uri, "SELECT current_database()")[0][0]
	cloning.Lock()
	defer cloning.Unlock()
	// In place of the empty database, which is dropped when the test ends.
	pgtest.Exec(t, s.source.URI("postgres"), "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)",
		fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", pgx.Identifier{name}.Sanitize(), pgx.Identifier{template}.Sanitize()))
}

func (s scene) args(command string, more ...string) []string {
	target := s.target
	if s.tenant != "" {
		target = strings.Replace(target, "postgres@", s.tenant+"@", 1)
		if command == "migrate" {
			more = append([]string{"--no-owner", "--no-roles", "--no-createdb"}, more...)
		}
	}
	return append([]string{command, "-s", s.source, "-t", target}, more...)
}

// phase is the migration's phase on the target; empty while there is none.
func (s scene) phase(t *testing.T) string {
	t.Helper()
	if pgtest.Query(t, s.target, `SELECT to_regclass('walferry.migration')`)[0][0] == "NULL" {
		return ""
	}
	rows := pgtest.Query(t, s.target, `SELECT phase FROM walferry.migration`)
	if len(rows) == 0 {
		return ""
	}
	return rows[0][0]
}

func (s scene) streams(t *testing.T) bool {
	t.Helper()
	phase := s.phase(t)
	return phase == "catching_up" || phase == "streaming"
}

// equal fails the test unless the target holds what the source holds, the witness
// included, and nothing of walferry's is left on the source.
func (s scene) equal(t *testing.T, sequences bool) {
	t.Helper()
	pgtest.Compare(t, s.source, s.target, rowdiff.Options{Sequences: sequences})
	s.whole(t)
	if sequences { // else it has not ended
		const objects = `SELECT string_agg(oid || ' ' || lo_get(oid)::text, ', ' ORDER BY oid) FROM pg_largeobject_metadata`
		if from, to := pgtest.Query(t, s.source, objects)[0][0], pgtest.Query(t, s.target, objects)[0][0]; from != to {
			t.Errorf("large objects: %s on the target, %s on the source", to, from)
		}
	}
	left := pgtest.Query(t, s.source, `
		SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
		UNION ALL SELECT 'publication ' || pubname FROM pg_publication`)
	if len(left) > 0 {
		t.Errorf("left on the source: %v", left)
	}
	// Nobody but the events truncates these: a change of theirs always finds its row.
	const missed = `SELECT namespace || '.' || name FROM walferry."table" WHERE missed_updates + missed_deletes > 0
		AND namespace IN ('witness', 'events') AND name NOT LIKE 'truncated%'`
	if s.phase(t) == "" {
		return
	}
	for _, row := range pgtest.Query(t, s.target, missed) {
		t.Errorf("table %s: changes found no row", row[0])
	}
}

// writers are the application: a random workload, and the witness.
type writers struct {
	t      *testing.T
	cancel context.CancelFunc
	done   sync.WaitGroup
	g      *workload.Generator
	failed chan error
}

func (s scene) write(t *testing.T, o workload.Options) *writers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	o.Skip = append(o.Skip, witnessTables...)
	w := &writers{t: t, cancel: cancel, g: workload.New(s.source, o), failed: make(chan error, 2)}
	w.done.Go(func() {
		if _, err := w.g.Run(ctx); err != nil {
			w.failed <- err
		}
	})
	w.done.Go(func() {
		if err := witness(ctx, s.source); err != nil {
			w.failed <- err
		}
	})
	t.Cleanup(w.halt)
	return w
}

func (w *writers) halt() {
	w.cancel()
	w.done.Wait()
}

// stop ends the writers and fails the test when the application saw an error.
func (w *writers) stop() {
	w.t.Helper()
	w.halt()
	w.check()
}

func (w *writers) check() {
	w.t.Helper()
	select {
	case err := <-w.failed:
		w.t.Fatalf("the source's application failed: %v", err)
	default:
	}
}

// committed waits until n more transactions have committed.
func (w *writers) committed(n int64) {
	w.t.Helper()
	from := w.g.Stats().Committed
	pgtest.Eventually(w.t, "the writers commit", func() bool {
		w.check()
		return w.g.Stats().Committed >= from+n
	})
}
