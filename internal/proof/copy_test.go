package proof_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
)

// copySchema has a table that is copied in chunks of 256 KiB, with a row at which the
// target waits for whoever holds a lock, and two that are copied as a whole.
const copySchema = `
	CREATE FUNCTION wait(id int) RETURNS bool LANGUAGE plpgsql AS
		$$BEGIN IF id = 18000 THEN PERFORM pg_catalog.pg_advisory_xact_lock_shared(7); END IF; RETURN true; END$$;
	CREATE TABLE large (id int PRIMARY KEY CHECK (public.wait(id)), n int, kept text);
	ALTER TABLE large ALTER kept SET STORAGE EXTERNAL;
	INSERT INTO large SELECT g, g % 7, repeat('x', 100) FROM generate_series(1, 20000) g;
	INSERT INTO large SELECT g, 0, repeat(g::text, 1000) FROM generate_series(20001, 20010) g;
	CREATE INDEX ON large (n);
	CREATE TABLE middle (id int PRIMARY KEY, n int);
	INSERT INTO middle SELECT g, g FROM generate_series(1, 3000) g;
	CREATE TABLE small (id int PRIMARY KEY, n int);
	INSERT INTO small VALUES (1, 1), (2, 2)`

// copyScene is a source with copySchema and an empty target, on servers of their own.
type copyScene struct {
	source, target   string
	sources, targets *pgtest.Cluster
}

func newCopyScene(t *testing.T) copyScene {
	t.Helper()
	from, to := pgtest.Majors()
	s := copyScene{sources: pgtest.Start(t, from, nil), targets: pgtest.Start(t, to, nil)}
	s.source, s.target = s.sources.Database(t, copySchema), s.targets.Database(t)
	return s
}

func (s copyScene) args(jobs string, more ...string) []string {
	return append([]string{"migrate", "-s", s.source, "-t", s.target, "--chunk-size", "262144", "-j", jobs}, more...)
}

// change moves, changes and deletes rows, and leaves out-of-line values alone.
func (s copyScene) change(t *testing.T, round int) {
	t.Helper()
	pgtest.Exec(t, s.source, fmt.Sprintf(`
		UPDATE large SET id = id + 100000 WHERE id %% 1000 = %[1]d;
		UPDATE large SET n = n + 1 WHERE id %% 500 = %[1]d OR id BETWEEN 20001 AND 20010;
		DELETE FROM large WHERE id %% 900 = %[1]d;
		INSERT INTO large VALUES (-%[1]d - 1, 0, 'new');
		UPDATE middle SET n = n + 1 WHERE id %% 10 = %[1]d;
		UPDATE small SET id = id + 10, n = %[1]d`, round))
}

// copied returns, of each table that is complete, which transactions wrote its rows.
func (s copyScene) copied(t *testing.T) map[string]string {
	t.Helper()
	writers := map[string]string{}
	for _, row := range pgtest.Query(t, s.target, `SELECT name FROM walferry."table" WHERE state IN ('indexing', 'ready')`) {
		writers[row[0]] = pgtest.Query(t, s.target, "SELECT coalesce(string_agg(DISTINCT xmin::text, ' '), '') FROM "+pgx.Identifier{row[0]}.Sanitize())[0][0]
	}
	return writers
}

// chunks returns which transactions wrote the ledger's chunks.
func (s copyScene) chunks(t *testing.T) map[string]string {
	t.Helper()
	writers := map[string]string{}
	for _, row := range pgtest.Query(t, s.target, `SELECT number, xmin FROM walferry.chunk`) {
		writers[row[0]] = row[1]
	}
	return writers
}

// kept fails unless all that was there is there, written by the same transactions.
func kept(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	for name, writers := range before {
		if after[name] != writers {
			t.Errorf("%s: %s was copied again", what, name)
		}
	}
}

func (s copyScene) finish(t *testing.T) {
	t.Helper()
	mustExit(t, walferry(t, "", s.args("2", "--max-replication-lag", "0", "--stop-replication")...), 0)
	pgtest.Compare(t, s.source, s.target, rowdiff.Options{Sequences: true})
}

// TestCopy_KilledAtEveryStep kills one migration at a step of its copy after the other,
// while rows change: what is complete is not copied again, and all is equal in the end.
func TestCopy_KilledAtEveryStep(t *testing.T) {
	t.Parallel()
	s := newCopyScene(t)
	before := map[string]string{}
	for i, place := range []string{
		"slot: before it is created=kill@1", "slot: created=kill@1", "slot: recorded=kill@1", "snapshot: exported again=kill@1",
		"copy: before a table is claimed=kill@1", "copy: in the rows=kill@2", "copy: before a chunk's ledger=kill@2",
		"copy: before COMMIT=kill@4", "copy: committed=kill@5", "copy: before a table's last entry=kill@1",
		"copy: before a table=kill@1", "copy: in the rows=kill@1", "copy: before the ledger=kill@1", "copy: before COMMIT=kill@1", "copy: committed=kill@1",
		"copy: committed=kill@1", "schema index: before commit=kill@2", "schema index: committed=kill@1",
	} {
		m := walferry(t, place, s.args("1")...)
		if status := m.Wait(); status != -1 {
			t.Fatalf("%s: walferry exited with %d, it should be killed", place, status)
		}
		if pgtest.Query(t, s.target, `SELECT to_regclass('walferry."table"') IS NOT NULL`)[0][0] == "t" {
			now := s.copied(t)
			kept(t, place, before, now)
			before = now
		}
		s.change(t, i)
	}
	if len(before) != 3 {
		t.Errorf("complete in the end: %v", before)
	}
	s.finish(t)
}

// TestCopy_ServerRestarts restarts one of the servers while a chunk is written. Without
// its target, walferry keeps the snapshot and all that is committed; without its
// source it keeps the tables that are complete.
func TestCopy_ServerRestarts(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"target", "source"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			s := newCopyScene(t)
			locker := pgtest.Connect(t, s.target)
			if _, err := locker.Exec(t.Context(), "SELECT pg_advisory_lock(7)"); err != nil {
				t.Fatal(err)
			}
			m := walferry(t, "", s.args("2")...)
			const held = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted`
			pgtest.Eventually(t, "a chunk is held, all else is copied", func() bool {
				return m.Running() && pgtest.Query(t, s.target, held)[0][0] == "1" && len(s.copied(t)) == 2
			})
			chunks := s.chunks(t)
			if len(chunks) < 5 {
				t.Errorf("%d chunks were done", len(chunks))
			}
			s.change(t, 1)
			cluster := s.targets
			if side == "source" {
				cluster = s.sources
			}
			if err := cluster.Restart(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if side == "source" {
				if _, err := locker.Exec(t.Context(), "SELECT pg_advisory_unlock(7)"); err != nil {
					t.Fatal(err)
				}
			}
			pgtest.Eventually(t, "all tables are copied", func() bool { return m.Running() && len(s.copied(t)) == 3 })
			if side == "target" {
				kept(t, "restart of the target", chunks, s.chunks(t))
			}
			if err := m.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			mustExit(t, m, 3)
			for _, table := range []string{"large", "middle", "small"} {
				if n := strings.Count(m.Stderr.String(), `msg="table copied" table=public.`+table+" "); n != 1 {
					t.Errorf("%s was copied %d times", table, n)
				}
			}
			s.change(t, 2)
			s.finish(t)
		})
	}
}
