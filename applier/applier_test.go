package applier_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
)

func TestApplier_KilledAnywhereRepeatsNothing(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int, v text)`, `ALTER TABLE a REPLICA IDENTITY FULL`)
	r.publish(t, "FOR ALL TABLES")
	for range 6 {
		pgtest.Exec(t, r.source, `INSERT INTO a SELECT i % 5, 'v' FROM generate_series(1, 40) i`,
			`DELETE FROM a WHERE ctid = (SELECT min(ctid) FROM a)`, `UPDATE a SET v = v || 'w' WHERE ctid = (SELECT max(ctid) FROM a)`)
	}
	r.options.MaxBatchBytes = 4000
	// Each run dies a little later; what it left must be enough for the next one.
	for reads := 1; ; reads += 3 {
		a := r.applier(t)
		ctx, kill := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		feeder := &countdown{Handler: a, left: reads, kill: kill}
		feedErr := r.feed(t.Context(), t, feeder)
		if feedErr == nil {
			a.Close()
		}
		err := <-done
		kill()
		if err == nil && feedErr == nil {
			break
		}
	}
	pgtest.Compare(t, r.source, r.target)
	counted := pgtest.Query(t, r.target, "SELECT transactions FROM progress.checkpoint")[0][0]
	if counted != "18" {
		t.Errorf("18 transactions were committed, %s applied", counted)
	}
}

// countdown kills the run after a number of calls.
type countdown struct {
	decoder.Handler
	left int
	kill func()
}

func (c *countdown) Change(change *decoder.Change) error {
	if c.left--; c.left == 0 {
		c.kill()
	}
	return c.Handler.Change(change)
}

func TestApplier_Watermark(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int)`, `CREATE TABLE b (id int)`, `CREATE TABLE c (id int)`)
	pgtest.Exec(t, r.target, `DROP TABLE c`, `ALTER TABLE b RENAME TO d`)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `INSERT INTO a VALUES (1); INSERT INTO c VALUES (1)`, `INSERT INTO b VALUES (1)`)
	watermark := lsn(t, r.source, "SELECT pg_current_wal_lsn()")
	pgtest.Exec(t, r.source, `INSERT INTO a VALUES (2); TRUNCATE b, c; INSERT INTO b VALUES (2); TRUNCATE c`)
	var asked atomic.Int64
	r.options.Table = func(_ context.Context, relation *decoder.Relation) (applier.Route, error) {
		asked.Add(1)
		switch relation.Name {
		case "a":
			return applier.Route{Watermark: watermark}, nil
		case "b":
			return applier.Route{Name: "d"}, nil
		default:
			return applier.Route{Skip: true}, nil
		}
	}
	if _, err := r.follow(t); err != nil {
		t.Fatalf("%+v", err)
	}
	got := pgtest.Query(t, r.target, "SELECT 'a', id FROM a UNION ALL SELECT 'd', id FROM d ORDER BY 1, 2")
	if len(got) != 2 || got[0][1] != "2" || got[1][1] != "2" {
		t.Errorf("rows on the target: %v", got)
	}
}

func lsn(t *testing.T, uri, query string) decoder.LSN {
	t.Helper()
	var l decoder.LSN
	if err := l.Scan(pgtest.Query(t, uri, query)[0][0]); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestApplier_Errors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		schema string
		target string
		during string
		stop   bool
		want   []string // in the message
		hint   string
		detail string
	}{
		{
			name: "a unique violation names the row", schema: `CREATE TABLE a (id int PRIMARY KEY, v text)`,
			target: `INSERT INTO a VALUES (7, 'stranger')`, during: `INSERT INTO a SELECT i FROM generate_series(1, 20) i`,
			want: []string{"apply INSERT to public.a on the target, in the transaction that committed at ", "23505"}, detail: "id = '7'", hint: "repair the row",
		},
		{
			name: "a column that the target lacks", schema: `CREATE TABLE a (id int PRIMARY KEY, v varchar(7))`, target: `ALTER TABLE a DROP v`,
			during: `INSERT INTO a VALUES (1, 'v')`, want: []string{"table public.a on the target lacks the column v"},
			hint: `ALTER TABLE "public"."a" ADD COLUMN "v" character varying(7)`,
		},
		{
			name: "a table that the target lacks", schema: `CREATE TABLE a (id int PRIMARY KEY)`, target: `DROP TABLE a`,
			during: `INSERT INTO a VALUES (1)`, want: []string{"public.a", "no such table on the target"}, hint: "create the table on the target",
		},
		{
			name: "a view on the target", schema: `CREATE TABLE a (id int PRIMARY KEY)`, target: `ALTER TABLE a RENAME TO b; CREATE VIEW a AS SELECT * FROM b`,
			during: `INSERT INTO a VALUES (1)`, want: []string{"public.a", "not a table on the target"},
		},
		{
			name: "a missing row when asked to stop", schema: `CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1), (2), (3)`, target: `DELETE FROM a WHERE id = 2`,
			during: `UPDATE a SET v = 1`, stop: true, want: []string{"apply UPDATE to public.a", "the row is not on the target"}, detail: "id = '2'", hint: "--on-missing-row",
		},
		{
			name: "a truncate that a foreign key of the target forbids", schema: `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)`,
			target: `CREATE TABLE x (a int REFERENCES a)`, during: `TRUNCATE b, a`, want: []string{"apply TRUNCATE of public.b, public.a", "0A000"},
		},
		{
			name: "a value that does not fit", schema: `CREATE TABLE a (id int PRIMARY KEY, v text)`, target: `ALTER TABLE a ALTER v TYPE int USING v::int`,
			during: `INSERT INTO a VALUES (1, '1'), (2, 'confidential')`, want: []string{"apply INSERT to public.a", "22P02"}, detail: "confidential", hint: "the type that it has on the source",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newReplica(t, c.schema)
			r.publish(t, "FOR ALL TABLES")
			if c.stop {
				r.options.OnMissingRow = applier.MissingRowStop
			}
			pgtest.Exec(t, r.source, c.during)
			for _, setFrom := range []int{1 << 30, 1} {
				r.setFrom = setFrom
				r.reset(t, c.schema, c.target)
				_, err := r.follow(t)
				if err == nil {
					t.Fatal("no error")
				}
				if strings.Contains(err.Error(), "confidential") {
					t.Errorf("message %q tells a value", err)
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("message %q does not say %q", err, want)
					}
				}
				if hints := errors.FlattenHints(err); !strings.Contains(hints, c.hint) {
					t.Errorf("hint %q does not say %q", hints, c.hint)
				}
				if details := errors.FlattenDetails(err); !strings.Contains(details, c.detail) {
					t.Errorf("detail %q does not say %q", details, c.detail)
				}
				if got := pgtest.Query(t, r.target, "SELECT lsn FROM progress.checkpoint")[0][0]; got != "0/0" {
					t.Errorf("the checkpoint moved to %s", got)
				}
			}
		})
	}
}

// A role that owns the tables and has no other right.
func TestApplier_FewRights(t *testing.T) {
	t.Parallel()
	schema := []string{
		`CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE DEFERRABLE, v text)`, `CREATE TABLE b (id int PRIMARY KEY, v text)`,
		`INSERT INTO a SELECT i, i FROM generate_series(1, 100) i`, `INSERT INTO b SELECT i FROM generate_series(1, 100) i`,
	}
	r := newReplica(t, schema...)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `UPDATE a SET u = 101 - u`, `UPDATE b SET v = 'new' WHERE id > 10; DELETE FROM b WHERE id > 90`,
		`INSERT INTO b SELECT i FROM generate_series(1000, 1100) i`, `UPDATE a SET id = id + 1000`)
	role := "few_rights_" + r.slot(t)
	grants := []string{
		`ALTER TABLE public.a OWNER TO ` + role, `ALTER TABLE public.b OWNER TO ` + role,
		`GRANT USAGE, CREATE ON SCHEMA public TO ` + role, `GRANT USAGE ON SCHEMA progress TO ` + role, `GRANT ALL ON progress.checkpoint TO ` + role,
	}
	database := pgtest.Query(t, r.target, "SELECT current_database()")[0][0]
	pgtest.Exec(t, r.target, "CREATE ROLE "+role)
	r.session = "SET ROLE " + role + "; SET search_path = ''; SET timezone = 'UTC'"
	for _, temporary := range []string{"GRANT", "REVOKE"} {
		for _, setFrom := range []int{1 << 30, 1} {
			r.reset(t, schema...)
			pgtest.Exec(t, r.target, grants...)
			if temporary == "REVOKE" {
				pgtest.Exec(t, r.target, "REVOKE TEMP ON DATABASE "+database+" FROM PUBLIC")
			}
			r.setFrom = setFrom
			r.mustFollow(t)
			if t.Failed() {
				t.Fatalf("failed with %s TEMP, sets from %d", temporary, setFrom)
			}
		}
	}
}

func TestApplier_RowFilterWithoutValue(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int PRIMARY KEY, ok bool, big text)`, `ALTER TABLE a ALTER big SET STORAGE EXTERNAL`,
		`ALTER TABLE a REPLICA IDENTITY FULL`, `ALTER TABLE a REPLICA IDENTITY DEFAULT`, `INSERT INTO a VALUES (1, false, repeat('x', 5000))`)
	pgtest.Exec(t, r.source, `ALTER TABLE a DROP CONSTRAINT a_pkey, ADD PRIMARY KEY (id, ok)`)
	pgtest.Exec(t, r.target, `TRUNCATE a`)
	r.publish(t, `FOR TABLE a WHERE (ok)`)
	pgtest.Exec(t, r.source, `UPDATE a SET ok = true`)
	_, err := r.follow(t)
	if err == nil || !strings.Contains(err.Error(), "row filter") || errors.FlattenHints(err) == "" {
		t.Errorf("error %v", err)
	}
}

func TestApplier_MissingRowsAreCounted(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int PRIMARY KEY, v int)`, `INSERT INTO a SELECT generate_series(1, 5)`)
	pgtest.Exec(t, r.target, `DELETE FROM a WHERE id < 3`)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `UPDATE a SET v = 1`, `DELETE FROM a WHERE id = 1`)
	stats, err := r.follow(t)
	if err != nil {
		t.Fatal(err)
	}
	if stats.MissedUpdates != 2 || stats.MissedDeletes != 1 {
		t.Errorf("missed: %+v", stats)
	}
	if got := pgtest.Query(t, r.target, "SELECT missed FROM progress.checkpoint")[0][0]; got != "3" {
		t.Errorf("the checkpoints counted %s missed rows", got)
	}
}

func TestApplier_EndedRefuses(t *testing.T) {
	t.Parallel()
	broken := errors.New("no target today")
	a := applier.New(applier.Options{
		Connect:    func(context.Context) (*pgx.Conn, error) { return nil, broken },
		Checkpoint: checkpoint{}, MaxBatchBytes: 1,
	})
	if err := a.Run(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("Run: %v", err)
	}
	tx := &decoder.Transaction{CommitLSN: 1, EndLSN: 2}
	relation := &decoder.Relation{OID: 1, Namespace: "public", Name: "a"}
	for range 5 {
		err := a.Begin(tx)
		if err == nil {
			err = a.Change(&decoder.Change{Op: decoder.Insert, Relation: relation, New: decoder.Tuple{}})
		}
		if !errors.Is(err, broken) {
			t.Fatalf("a call after the end: %v", err)
		}
	}
	if err := a.Idle(5, true); !errors.Is(err, broken) {
		t.Errorf("Idle after the end: %v", err)
	}
	a.Close()
}

func TestApplier_OptionsAreChecked(t *testing.T) {
	t.Parallel()
	err := applier.New(applier.Options{MaxBatchBytes: -1, Lanes: -1, LaneStarts: []decoder.LSN{1}}).Run(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Connect", "Checkpoint", "MaxBatchBytes", "Lanes is -1", "LaneStarts has 1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestApplier_Fenced(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int)`)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `INSERT INTO a VALUES (1)`)
	a := r.applier(t)
	pgtest.Exec(t, r.target, `UPDATE progress.checkpoint SET lsn = 'FFFFFFFF/0'`)
	done := make(chan error, 1)
	go func() { done <- a.Run(t.Context()) }()
	_ = r.feed(t.Context(), t, a)
	a.Close()
	if err := <-done; !errors.Is(err, applier.ErrFenced) {
		t.Errorf("Run: %v", err)
	}
	if rows := pgtest.Query(t, r.target, "SELECT * FROM a"); len(rows) != 0 {
		t.Errorf("rows stayed: %v", rows)
	}
}

func TestApplier_IdleAdvances(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int)`)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.target, `UPDATE progress.checkpoint SET lsn = '0/100'`)
	a := r.applier(t)
	if a.Applied() != 0x100 || a.Durable() != 0x100 {
		t.Errorf("applied %s, durable %s before the start", a.Applied(), a.Durable())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	// A walsender's first keepalives may lie before the checkpoint.
	for _, l := range []decoder.LSN{0x50, 0x200} {
		if err := a.Idle(l, true); err != nil {
			t.Fatal(err)
		}
	}
	pgtest.Eventually(t, "an urgent position is durable", func() bool { return a.Durable() == 0x200 })
	if err := a.Idle(0x300, false); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, "a position is durable", func() bool { return a.Durable() == 0x300 })
	tx := &decoder.Transaction{CommitLSN: 0x400, EndLSN: 0x410, CommitTime: time.Now()}
	if err := a.Begin(tx); err != nil {
		t.Fatal(err)
	}
	if err := a.Idle(0x500, true); err != nil {
		t.Fatal(err)
	}
	if err := a.Commit(tx); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, "the transaction is durable", func() bool { return a.Durable() == 0x410 })
	if got := lsn(t, r.target, "SELECT lsn FROM progress.checkpoint"); got != 0x410 {
		t.Errorf("the checkpoint is at %s", got)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

func TestApplier_ContainedTransactionsAreDropped(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int)`)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `INSERT INTO a VALUES (1)`)
	r.mustFollow(t)
	pgtest.Exec(t, r.source, `INSERT INTO a VALUES (2)`)
	// The slot still holds the first one, too.
	if stats := r.mustFollow(t); stats.Transactions != 1 {
		t.Errorf("applied: %+v", stats)
	}
}

func TestApplier_DurableFollowsTheTargetsLog(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int)`)
	a := r.applier(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	relation := &decoder.Relation{OID: 1, Namespace: "public", Name: "a", Columns: []decoder.Column{{Name: "id", TypeOID: 23}}}
	for i := range decoder.LSN(300) {
		tx := &decoder.Transaction{CommitLSN: 10*i + 10, EndLSN: 10*i + 15}
		change := &decoder.Change{Op: decoder.Insert, Relation: relation, New: decoder.Tuple{{Kind: decoder.Text, Data: []byte("1")}}}
		if err := errors.Join(a.Begin(tx), a.Change(change), a.Commit(tx)); err != nil {
			t.Fatal(err)
		}
		if a.Durable() > a.Applied() {
			t.Fatalf("durable %s is beyond applied %s", a.Durable(), a.Applied())
		}
	}
	pgtest.Eventually(t, "all is durable", func() bool { return a.Durable() == 3005 })
	if s := a.Stats(); s.Transactions != 300 || s.Inserts != 300 {
		t.Errorf("%+v", s)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

func TestApplier_WritesAgainAfterALockTimeout(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int PRIMARY KEY, v text)`, `CREATE TABLE b (id int PRIMARY KEY)`, `INSERT INTO a SELECT generate_series(1, 100)`)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `INSERT INTO b VALUES (1)`, `UPDATE a SET v = 'new'; DELETE FROM a WHERE id > 50; INSERT INTO a SELECT generate_series(60, 200)`)
	r.session = "SET search_path = ''; SET session_replication_role = replica; SET lock_timeout = '20ms'"
	blocker := pgtest.Connect(t, r.target)
	if _, err := blocker.Exec(t.Context(), "BEGIN; LOCK TABLE a IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	a := r.applier(t)
	done := make(chan error, 1)
	go func() { done <- a.Run(t.Context()) }()
	if err := r.feed(t.Context(), t, a); err != nil {
		t.Fatal(err)
	}
	a.Close()
	pgtest.Eventually(t, "a lock timeout", func() bool { return a.Stats().Retries > 0 })
	if _, err := blocker.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("%+v", err)
	}
	pgtest.Compare(t, r.source, r.target)
	if s := a.Stats(); s.Transactions != 2 || s.Updates != 100 || s.Deletes != 50 || s.Inserts != 142 || s.MissedUpdates+s.MissedDeletes > 0 {
		t.Errorf("%+v", s)
	}
}

func TestApplier_LostConnection(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE a (id int)`)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `INSERT INTO a SELECT generate_series(1, 1000)`)
	a := r.applier(t)
	done := make(chan error, 1)
	go func() { done <- a.Run(t.Context()) }()
	pgtest.Eventually(t, "the connection is up", func() bool {
		return len(pgtest.Query(t, r.target, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND query LIKE '%synchronous_commit%'`)) > 0
	})
	feedErr := r.feed(t.Context(), t, a)
	a.Close()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "57P01") && !strings.Contains(err.Error(), "closed") && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
		t.Errorf("Run: %v, feed: %v", err, feedErr)
	}
	r.mustFollow(t)
}

func TestApplier_CloseDropsWhatIsNotComplete(t *testing.T) {
	t.Parallel()
	relation := &decoder.Relation{OID: 1, Namespace: "public", Name: "a", Columns: []decoder.Column{{Name: "id", TypeOID: 23}}}
	r := newReplica(t)
	for _, bytes := range []int{0, 1, 500} {
		r.reset(t, `CREATE TABLE a (id int)`)
		r.options.MaxBatchBytes = bytes
		a := r.applier(t)
		done := make(chan error, 1)
		go func() { done <- a.Run(t.Context()) }()
		change := &decoder.Change{Op: decoder.Insert, Relation: relation, New: decoder.Tuple{{Kind: decoder.Text, Data: []byte("1")}}}
		for i := range decoder.LSN(4) {
			tx := &decoder.Transaction{CommitLSN: 10*i + 10, EndLSN: 10*i + 15}
			if err := a.Begin(tx); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				if err := a.Change(change); err != nil {
					t.Fatal(err)
				}
			}
			if i == 3 {
				break
			}
			if err := a.Commit(tx); err != nil {
				t.Fatal(err)
			}
		}
		a.Close()
		if err := <-done; err != nil {
			t.Fatalf("%+v", err)
		}
		if got := pgtest.Query(t, r.target, "SELECT count(*) FROM a")[0][0]; got != "30" {
			t.Errorf("%s rows with batches of %d bytes", got, bytes)
		}
		if a.Durable() != 35 || a.Applied() != 35 {
			t.Errorf("durable %s, applied %s", a.Durable(), a.Applied())
		}
		if err := a.Begin(&decoder.Transaction{CommitLSN: 100}); err == nil {
			t.Error("a transaction was taken after Close")
		}
	}
}
