package snapshot_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/snapshot"
)

// chunked fills tables of which each is large enough for several chunks of 64 KiB,
// with holes, and with rows that have moved within the table.
const chunked = `
	CREATE TABLE heap (id int, note text);
	INSERT INTO heap SELECT g, repeat('x', g % 200) FROM generate_series(1, 8000) g;
	DELETE FROM heap WHERE id % 7 = 0;
	UPDATE heap SET note = note || 'y' WHERE id % 5 = 0;
	CREATE TABLE keyed (k timestamptz, n int, note text, PRIMARY KEY (k, n));
	INSERT INTO keyed SELECT timestamptz '2024-02-28' + g * interval '1 hour', g % 3, repeat('z', 100) FROM generate_series(1, 8000) g;
	ANALYZE keyed;
	CREATE TABLE root (id int, note text) PARTITION BY RANGE (id);
	CREATE TABLE leaf1 PARTITION OF root FOR VALUES FROM (0) TO (100);
	CREATE TABLE leaf2 (note text, id int);
	ALTER TABLE root ATTACH PARTITION leaf2 FOR VALUES FROM (100) TO (10000);
	CREATE TABLE leaf3 PARTITION OF root FOR VALUES FROM (10000) TO (20000) PARTITION BY RANGE (id);
	CREATE TABLE leaf31 PARTITION OF leaf3 DEFAULT;
	INSERT INTO root SELECT g, repeat('p', 50) FROM generate_series(0, 9999) g;
	CREATE TABLE parent (id int, note text);
	CREATE TABLE child () INHERITS (parent);
	INSERT INTO parent SELECT g, repeat('x', 100) FROM generate_series(1, 4000) g;
	INSERT INTO child SELECT g, repeat('c', 100) FROM generate_series(1, 100) g;`

const chunkedSchema = `
	CREATE TABLE heap (id int, note text);
	CREATE TABLE keyed (k timestamptz, n int, note text);
	CREATE TABLE root (id int, note text);
	CREATE TABLE parent (id int, note text);`

// TestRun_ChunksHoldEveryRowOnce copies by ranges of ctid, of keys (on a server that
// cannot scan ranges of ctid) and by partitions, while rows change.
func TestRun_ChunksHoldEveryRowOnce(t *testing.T) {
	t.Parallel()
	for major, least := range map[int]map[string]int{
		13: {"heap": 0, "keyed": 5, "root": 3, "parent": 0},
		15: {"heap": 10, "keyed": 10, "root": 10, "parent": 5},
	} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			source := pgtest.Server(t, major).Database(t, chunked)
			_, target := databases(t)
			pgtest.Exec(t, target, chunkedSchema)
			tables := []snapshot.Table{
				{Namespace: "public", Name: "heap", Binary: true},
				{Namespace: "public", Name: "keyed", Where: "n < 2 OR note IS NULL"},
				{Namespace: "public", Name: "root", Descendants: true},
				{Namespace: "public", Name: "parent", Columns: []string{"id", "note"}},
			}
			want := map[string][][]string{
				"heap": rowsOf(t, source, "heap"), "keyed": rowsOf(t, source, "(SELECT * FROM keyed WHERE n < 2)"),
				"root": rowsOf(t, source, "root"), "parent": rowsOf(t, source, "ONLY parent"),
			}
			var mu sync.Mutex
			last := map[string]snapshot.Progress{}
			o := options(source, target)
			o.Jobs, o.ChunkBytes = 4, 64<<10
			o.Imported = func() {
				pgtest.Exec(t, source, `UPDATE heap SET id = -id; DELETE FROM keyed WHERE n = 1; UPDATE root SET note = 'n'; INSERT INTO parent SELECT 7`,
					"VACUUM heap", "VACUUM keyed")
			}
			o.Progress = func(p snapshot.Progress) {
				mu.Lock()
				defer mu.Unlock()
				last[p.Table.Name] = p
			}
			if err := snapshot.Run(t.Context(), o, tables); err != nil {
				t.Fatal(err)
			}
			for name, n := range least {
				hasRows(t, target, name, want[name])
				p := last[name]
				if p.State != snapshot.Done || p.ChunksDone != p.Chunks || p.Result.Rows != int64(len(want[name])) || p.Committed != p.Result.Bytes || p.Table.Bytes == 0 {
					t.Errorf("%s ended with %+v", name, p)
				}
				chunks := pgtest.Query(t, target, "SELECT count(*), coalesce(sum(rows), 0) FROM ledger WHERE name LIKE 'public."+name+" chunk%'")[0]
				if got, _ := strconv.Atoi(chunks[0]); got < n || n == 0 && got > 0 || got > 0 && chunks[1] != strconv.Itoa(len(want[name])) {
					t.Errorf("%s: %s chunks with %s rows, want at least %d", name, chunks[0], chunks[1], n)
				}
			}
		})
	}
}

// TestRun_LostTargetKeepsWhatIsCommitted ends all sessions of the target in the middle of
// a chunk: only what was open is copied again, from the snapshot that lives.
func TestRun_LostTargetKeepsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	pgtest.Exec(t, source, `CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g; ANALYZE t;
		CREATE TABLE whole (id int); INSERT INTO whole VALUES (1)`)
	// A row in the last quarter waits for whoever holds the lock.
	pgtest.Exec(t, target, `CREATE FUNCTION wait(id int) RETURNS bool LANGUAGE plpgsql AS
		$$BEGIN IF id = 18000 THEN PERFORM pg_advisory_xact_lock_shared(7); END IF; RETURN true; END$$;
		CREATE TABLE t (id int CHECK (wait(id)), note text); CREATE TABLE whole (id int)`)
	want := rowsOf(t, source, "t")
	locker := pgtest.Connect(t, target)
	if _, err := locker.Exec(t.Context(), "SELECT pg_advisory_lock(7)"); err != nil {
		t.Fatal(err)
	}
	o := options(source, target)
	o.ChunkBytes = 256 << 10
	result := make(chan error, 1)
	go func() {
		result <- snapshot.Run(t.Context(), o, []snapshot.Table{{Namespace: "public", Name: "t"}, {Namespace: "public", Name: "whole"}})
	}()
	const waiting = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	pgtest.Eventually(t, "a chunk is held, the others are done", func() bool {
		return pgtest.Query(t, target, waiting)[0][0] == "1" && pgtest.Query(t, target, "SELECT count(*) FROM ledger WHERE name = 'public.whole'")[0][0] == "1"
	})
	pgtest.Exec(t, source, "UPDATE t SET note = 'changed'")
	const ledger = "SELECT name, xmin FROM ledger ORDER BY name"
	before := pgtest.Query(t, target, ledger)
	pgtest.Exec(t, target, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'snapshot test'`)
	pgtest.Eventually(t, "the chunk is written again", func() bool { return pgtest.Query(t, target, waiting)[0][0] == "1" })
	if err := locker.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	hasRows(t, target, "t", want)
	hasRows(t, target, "whole", [][]string{{"(1)"}})
	after := map[string]string{}
	for _, row := range pgtest.Query(t, target, ledger) {
		after[row[0]] = row[1]
	}
	if len(before) < 4 {
		t.Errorf("only %d parts were done when the target was lost", len(before))
	}
	for _, row := range before {
		if after[row[0]] != row[1] {
			t.Errorf("%s was copied again", row[0])
		}
	}
}

// interfering does something to the source when a table is begun, between the planning
// of its chunks and the first of them.
type interfering struct {
	tableLedger

	do func()
}

func (i interfering) BeginChunks(context.Context, *pgx.Conn, *snapshot.Table, int) (bool, error) {
	i.do()
	return false, nil
}

// TestRun_TableThatChangesBetweenChunksIsNotTrusted needs a new snapshot when rows may
// have moved between chunks, and does not wait for those who wait for us.
func TestRun_TableThatChangesBetweenChunksIsNotTrusted(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"rewritten": "VACUUM FULL t",
		"truncated": "TRUNCATE t",
		"locked":    "BEGIN; LOCK TABLE t",
		"dropped":   "DROP TABLE t",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := databases(t)
			pgtest.Exec(t, source, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20000); ANALYZE t")
			pgtest.Exec(t, target, "CREATE TABLE t (id int)")
			other := pgtest.Connect(t, source)
			o := options(source, target)
			o.ChunkBytes = 64 << 10
			o.Ledger = interfering{do: func() {
				if _, err := other.PgConn().Exec(t.Context(), statement).ReadAll(); err != nil {
					t.Error(err)
				}
			}}
			err := snapshot.Run(t.Context(), o, []snapshot.Table{{Namespace: "public", Name: "t", Columns: []string{"id"}}})
			if !errors.Is(err, snapshot.ErrMoved) {
				t.Errorf("error %v", err)
			}
			hasRows(t, target, "t", nil)
		})
	}
}

// TestRun_RewrittenBeforeItIsCopied leaves a table that the snapshot does not show
// anymore for another snapshot, and copies the others.
func TestRun_RewrittenBeforeItIsCopied(t *testing.T) {
	t.Parallel()
	const objects = `CREATE TABLE t (id int, v text); CREATE TABLE other (id int);
		CREATE TABLE parted (id int, v text) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parted DEFAULT`
	for name, c := range map[string]struct {
		statement, table string
		chunk            int64
	}{
		"altered":            {"ALTER TABLE t ALTER v TYPE varchar(9)", "t", 0},
		"altered, in chunks": {"ALTER TABLE t ALTER v TYPE varchar(9)", "t", 64 << 10},
		"truncated":          {"TRUNCATE t; INSERT INTO t SELECT g, 'new' FROM generate_series(1, 20000) g", "t", 0},
		"moved":              {"VACUUM FULL t", "t", 0},
		"dropped":            {"DROP TABLE t", "t", 0},
		"made anew":          {"DROP TABLE t; CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'new')", "t", 0},
		"partition":          {"ALTER TABLE parted ALTER v TYPE varchar(9)", "parted", 0},
		"partition attached": {"ALTER TABLE parted DETACH PARTITION part; CREATE TABLE more PARTITION OF parted DEFAULT", "parted", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := databases(t)
			pgtest.Exec(t, source, objects, `INSERT INTO t SELECT g, 'old' FROM generate_series(1, 20000) g; INSERT INTO parted TABLE t; INSERT INTO other VALUES (1)`)
			pgtest.Exec(t, target, objects)
			exporter := pgtest.Connect(t, source)
			o := options(source, target)
			o.ChunkBytes = c.chunk
			if _, err := exporter.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ"); err != nil {
				t.Fatal(err)
			}
			if err := exporter.QueryRow(t.Context(), "SELECT pg_export_snapshot()").Scan(&o.SnapshotName); err != nil {
				t.Fatal(err)
			}
			altering := pgtest.Connect(t, source)
			for statement := range strings.SplitSeq(c.statement, ";") {
				if _, err := altering.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			columns := []string{"id", "v"}
			if name == "dropped" {
				columns = nil
			}
			tables := []snapshot.Table{
				{Namespace: "public", Name: c.table, Columns: columns, Descendants: c.table == "parted"},
				{Namespace: "public", Name: "other"},
			}
			if err := snapshot.Run(t.Context(), o, tables); !errors.Is(err, snapshot.ErrMoved) {
				t.Errorf("error %v", err)
			}
			hasRows(t, target, c.table, nil)
			hasRows(t, target, "ledger", [][]string{{"(public.other,1)"}})
			// The next snapshot shows it.
			o.SnapshotName = ""
			if err := snapshot.Run(t.Context(), o, tables[:1]); name != "dropped" && err != nil {
				t.Error(err)
			}
			if name != "dropped" {
				hasRows(t, target, c.table, rowsOf(t, source, c.table))
			}
		})
	}
}

// TestRun_CopiedTablesAreReleased lets others alter a table of the source when it has
// been copied, although the snapshot's transaction goes on.
func TestRun_CopiedTablesAreReleased(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	pgtest.Exec(t, source, `CREATE TABLE a AS SELECT g AS id FROM generate_series(1, 20000) g; CREATE TABLE b AS SELECT 1 AS id`)
	pgtest.Exec(t, target, `CREATE TABLE a (id int); CREATE TABLE b (id int)`)
	o := options(source, target)
	o.Jobs = 1
	altered := false
	o.Ledger = interfering{do: func() {
		if len(pgtest.Query(t, target, "SELECT FROM ledger")) == 1 {
			pgtest.Exec(t, source, "SET lock_timeout = '1min'; ALTER TABLE a ADD COLUMN more int")
			altered = true
		}
	}}
	err := snapshot.Run(t.Context(), o, []snapshot.Table{
		{Namespace: "public", Name: "a", Columns: []string{"id"}}, {Namespace: "public", Name: "b", Columns: []string{"id"}},
	})
	if err != nil || !altered {
		t.Errorf("altered: %v, %v", altered, err)
	}
}
