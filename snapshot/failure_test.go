package snapshot_test

import (
	"context"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/snapshot"
)

// TestRun_NamesTheSideThatFailed copies a good table, larger on disk, before a broken one: the
// good one stays, the broken one is as it was.
func TestRun_NamesTheSideThatFailed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		source, target string // what is done to the table before
		table          snapshot.Table
		message        string
		detail         string
	}{
		"the target lacks the column": {
			target:  "ALTER TABLE broken DROP COLUMN note",
			message: `copy table public.broken: target: ERROR: column "note" of relation "broken" does not exist`,
		},
		"the source lacks the column": {
			source:  "ALTER TABLE broken DROP COLUMN note",
			message: `copy table public.broken: source: ERROR: column "note" of relation "broken" does not exist`,
		},
		"the source fails in the middle": {
			table:   snapshot.Table{Where: "1 / (id - 99999) < 5"},
			message: "copy table public.broken: source: ERROR: division by zero",
		},
		"the target refuses a row in the middle": {
			target:  "ALTER TABLE broken ADD CHECK (id <> 50000)",
			message: `copy table public.broken: target: ERROR: new row for relation "broken" violates check constraint`,
			detail:  "COPY broken, line 50000",
		},
		"the target cannot read a value": {
			target:  "ALTER TABLE broken ALTER note TYPE int USING id",
			message: "copy table public.broken: target: ERROR: invalid input syntax for type integer",
			detail:  "COPY broken, line 1, column note",
		},
		"the target already holds a key": {
			target:  "ALTER TABLE broken ADD PRIMARY KEY (id)",
			message: "copy table public.broken: target: ERROR: duplicate key value violates unique constraint",
			detail:  "COPY broken, line 77",
		},
		"the formats differ": {
			table:   snapshot.Table{Binary: true},
			target:  "ALTER TABLE broken ALTER id TYPE bigint",
			message: "copy table public.broken: target: ERROR: insufficient data left in message",
		},
		"a trigger swallows rows": {
			target: `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS
				$$BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END$$;
				CREATE TRIGGER swallow BEFORE INSERT ON broken FOR EACH ROW EXECUTE FUNCTION swallow()`,
			message: "copy table public.broken: the source sent 100000 rows, the target took 50000",
		},
		"the target table is missing": {
			target:  "DROP TABLE broken",
			table:   snapshot.Table{Truncate: true},
			message: `copy table public.broken: look up the target table: ERROR: relation "public.broken" does not exist`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := databases(t)
			const schema = "CREATE TABLE good (id int); CREATE TABLE broken (id int, note text);"
			pgtest.Exec(t, source, schema+"INSERT INTO good SELECT g FROM generate_series(1, 200000) g; DELETE FROM good WHERE id > 1; INSERT INTO broken SELECT g, 'note ' || g FROM generate_series(1, 100000) g;"+tc.source)
			pgtest.Exec(t, target, schema+"INSERT INTO broken VALUES (77, 'was here');"+tc.target)
			tc.table.Namespace, tc.table.Name, tc.table.Columns = "public", "broken", []string{"id", "note"}
			o := options(source, target)
			o.Jobs = 1
			err := snapshot.Run(t.Context(), o, []snapshot.Table{
				tc.table, {Namespace: "public", Name: "good", Columns: []string{"id"}, Bytes: 1},
			})
			if err == nil || !strings.HasPrefix(err.Error(), tc.message) {
				t.Errorf("error %v\n want  %s", err, tc.message)
			}
			if detail := errors.FlattenDetails(err); !strings.Contains(detail, tc.detail) {
				t.Errorf("detail %q lacks %q", detail, tc.detail)
			}
			hasRows(t, target, "good", [][]string{{"(1)"}})
			hasRows(t, target, "ledger", [][]string{{"(public.good,1)"}})
			if !strings.HasPrefix(tc.target, "DROP TABLE") {
				if got := pgtest.Query(t, target, "SELECT count(*), min(id) FROM broken"); got[0][0] != "1" || got[0][1] != "77" {
					t.Errorf("the broken table has %s rows", got[0][0])
				}
			}
			noSessions(t, source, target)
		})
	}
}

func noSessions(t *testing.T, uris ...string) {
	t.Helper()
	for _, uri := range uris {
		pgtest.Eventually(t, "no session is left", func() bool { return sessions(t, uri) == 0 })
	}
}

// refusing is a ledger whose methods fail on demand.
type refusing struct {
	tableLedger

	begin, done error
}

func (r refusing) BeginChunks(context.Context, *pgx.Conn, *snapshot.Table, int) (bool, error) {
	return false, r.begin
}

func (r refusing) Done(ctx context.Context, c *pgx.Conn, t *snapshot.Table, result snapshot.Result) error {
	return errors.CombineErrors(tableLedger{}.Done(ctx, c, t, result), r.done)
}

func TestRun_LedgerFailureTakesTheRowsBack(t *testing.T) {
	t.Parallel()
	refusal := errors.New("fenced")
	for name, ledger := range map[string]refusing{"begin": {begin: refusal}, "done": {done: refusal}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := databases(t)
			pgtest.Exec(t, source, "CREATE TABLE t AS SELECT 1 AS id")
			pgtest.Exec(t, target, "CREATE TABLE t (id int)")
			o := options(source, target)
			o.Ledger = ledger
			err := snapshot.Run(t.Context(), o, []snapshot.Table{{Namespace: "public", Name: "t", Columns: []string{"id"}}})
			if !errors.Is(err, refusal) {
				t.Errorf("error %v", err)
			}
			hasRows(t, target, "t", nil)
			hasRows(t, target, "ledger", nil)
		})
	}
}

func TestRun_TableThatWasCopiedAfterAllIsLeftAlone(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	pgtest.Exec(t, source, "CREATE TABLE t AS SELECT 1 AS id")
	pgtest.Exec(t, target, "CREATE TABLE t AS SELECT 1 AS id")
	o := options(source, target)
	o.Ledger = refusing{begin: errors.Wrap(snapshot.ErrCopied, "look")}
	if err := snapshot.Run(t.Context(), o, []snapshot.Table{{Namespace: "public", Name: "t", Truncate: true}}); err != nil {
		t.Errorf("error %v", err)
	}
	hasRows(t, target, "t", [][]string{{"(1)"}})
}

func TestRun_CancelEndsBothSides(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		where   string // of the table, on the source
		lock    string // held on the target
		copying func(source, target string) string
	}{
		"while the source computes": {
			where:   "pg_sleep(id * 1000) IS NOT NULL",
			copying: func(source, _ string) string { return source },
		},
		"while the target waits": {
			lock:    "LOCK TABLE t",
			copying: func(_, target string) string { return target },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := databases(t)
			pgtest.Exec(t, source, "CREATE TABLE t AS SELECT g AS id FROM generate_series(0, 100) g")
			pgtest.Exec(t, target, "CREATE TABLE t (id int)")
			if tc.lock != "" {
				locker := pgtest.Connect(t, target)
				if _, err := locker.PgConn().Exec(t.Context(), "BEGIN; "+tc.lock).ReadAll(); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() {
				result <- snapshot.Run(ctx, options(source, target), []snapshot.Table{
					{Namespace: "public", Name: "t", Columns: []string{"id"}, Where: tc.where},
				})
			}()
			pgtest.Eventually(t, "the copy runs", func() bool { return inCopy(t, tc.copying(source, target)) == 1 })
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			noSessions(t, source, target)
		})
	}
}

func TestRun_LostConnectionLeavesTheTableAsItWas(t *testing.T) {
	t.Parallel()
	for _, killed := range []string{"source", "target"} {
		t.Run(killed, func(t *testing.T) {
			t.Parallel()
			source, target := databases(t)
			pgtest.Exec(t, source, "CREATE TABLE t AS SELECT g AS id FROM generate_series(0, 200000) g")
			pgtest.Exec(t, target, "CREATE TABLE t (id int)")
			result := make(chan error, 1)
			go func() {
				o := options(source, target)
				o.RetryFor = -1
				result <- snapshot.Run(t.Context(), o, []snapshot.Table{
					{Namespace: "public", Name: "t", Columns: []string{"id"}, Where: "id < 200000 OR pg_sleep(1000) IS NOT NULL"},
				})
			}()
			pgtest.Eventually(t, "both sides copy", func() bool { return inCopy(t, source) == 1 && inCopy(t, target) == 1 })
			uri := map[string]string{"source": source, "target": target}[killed]
			pgtest.Exec(t, uri, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name = 'snapshot test' AND query LIKE 'COPY%'`)
			err := <-result
			want := "copy table public.t: " + killed + ": FATAL: terminating connection due to administrator command"
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %v\n want  %s", err, want)
			}
			noSessions(t, source, target)
			hasRows(t, target, "t", nil)
			hasRows(t, target, "ledger", nil)
		})
	}
}

// TestRun_NoticesDoNotMixWithRows makes the source send a notice before every row.
func TestRun_NoticesDoNotMixWithRows(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	pgtest.Exec(t, source, `CREATE TABLE t AS SELECT g AS id, repeat('x', g % 50) AS note FROM generate_series(1, 20000) g;
		CREATE FUNCTION noisy(n int) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'row % %', n, repeat('y', n % 70); RETURN true; END$$`)
	pgtest.Exec(t, target, "CREATE TABLE t (id int, note text)")
	table := snapshot.Table{Namespace: "public", Name: "t", Columns: []string{"id", "note"}, Where: "public.noisy(id)"}
	if err := snapshot.Run(t.Context(), options(source, target), []snapshot.Table{table}); err != nil {
		t.Fatal(err)
	}
	hasRows(t, target, "t", rowsOf(t, source, "t"))
}
