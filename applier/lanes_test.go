package applier_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
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

// killing is a checkpoint that kills the run at its n-th call, before or after the
// rows of that lane are committed, whatever the other lanes are doing.
type killing struct {
	checkpoint
	left *atomic.Int64
	kill context.CancelCauseFunc
}

func (k killing) Save(batch *pgx.Batch, c applier.Checkpoint) {
	k.checkpoint.Save(batch, c)
	if k.left.Add(-1) == 0 {
		k.kill(errors.New("killed"))
	}
}

// TestApplier_KilledBetweenLanes kills runs while some lanes have committed what
// others have not. Tables without a key would show every change that is repeated.
func TestApplier_KilledBetweenLanes(t *testing.T) {
	t.Parallel()
	const lanes = 4
	random := rand.New(rand.NewPCG(3, 9))
	r := newReplica(t, append([]string{`CREATE TABLE counted (id int PRIMARY KEY, n int)`}, randomTables...)...)
	r.publish(t, "FOR ALL TABLES")
	r.split = map[string][]string{"counted": {"id"}}
	for i := range 60 {
		// Rows that all lanes share: what is repeated or lost finds its row, or does not.
		pgtest.Exec(t, r.source, fmt.Sprintf(`INSERT INTO counted SELECT i, 0 FROM generate_series(%d, %d) i; UPDATE counted SET n = n + 1 WHERE id %% 3 = %d;
			DELETE FROM counted WHERE id %% 11 = %d`, i*20, i*20+19, i%3, i%11))
		pgtest.Exec(t, r.source, randomTransaction(random),
			fmt.Sprintf(`INSERT INTO keyless SELECT i %% 3, 1, 'twice', 'x' FROM generate_series(1, 10) i; INSERT INTO compound VALUES ('a', %d, NULL, 'v')`, 1000000+i))
	}
	r.options.Lanes, r.options.MaxBatchBytes, r.setFrom = lanes, 40_000, 3
	apart := 0
	before := make([]decoder.LSN, lanes)
	for calls := int64(1); ; calls += 2 {
		left := &atomic.Int64{}
		left.Store(calls)
		ctx, kill := context.WithCancelCause(t.Context())
		a := r.applierWith(t, killing{left: left, kill: kill})
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		feedErr := r.feed(t.Context(), t, a)
		a.Close()
		err := <-done
		kill(nil)
		if err == nil && feedErr == nil {
			break
		}
		r.left(t)
		different := false
		for lane := range lanes {
			now := lsn(t, r.target, fmt.Sprintf("SELECT coalesce((SELECT lsn FROM progress.checkpoint WHERE lane = %d), '0/0')", lane))
			if now < before[lane] {
				t.Fatalf("lane %d went back from %s to %s", lane, before[lane], now)
			}
			if a.Durable() > now {
				t.Fatalf("lane %d is at %s, but %s was durable", lane, now, a.Durable())
			}
			before[lane] = now
			different = different || now != before[0]
		}
		if different {
			apart++
		}
	}
	pgtest.Compare(t, r.source, r.target)
	if missed := pgtest.Query(t, r.target, "SELECT sum(missed) FROM progress.checkpoint")[0][0]; missed != "0" {
		t.Errorf("%s rows were missed", missed)
	}
	if apart == 0 {
		t.Error("no run ended with lanes at different positions: nothing was tested")
	}
	got := pgtest.Query(t, r.target, "SELECT sum(transactions), count(DISTINCT lsn) FROM progress.checkpoint")[0]
	once := &counter{}
	if err := r.feed(t.Context(), t, once); err != nil {
		t.Fatal(err)
	}
	if got[0] != strconv.Itoa(once.transactions) || got[1] != "1" {
		t.Errorf("%s of %d transactions were applied, and lanes end at %s positions", got[0], once.transactions, got[1])
	}
}

// counter counts transactions.
type counter struct {
	decoder.Handler
	transactions int
}

func (*counter) Begin(*decoder.Transaction) error { return nil }
func (*counter) Change(*decoder.Change) error     { return nil }
func (c *counter) Commit(*decoder.Transaction) error {
	c.transactions++
	return nil
}

// TestApplier_ErrorInOneLane ends the run; what the other lanes have committed is
// covered by their checkpoints, and the next run goes on.
func TestApplier_ErrorInOneLane(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE c (id int PRIMARY KEY)`, `CREATE TABLE d (id int)`)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.target, `INSERT INTO c VALUES (50)`)
	for i := range 100 {
		pgtest.Exec(t, r.source, fmt.Sprintf(`INSERT INTO c VALUES (%d); INSERT INTO d VALUES (%d)`, i, i))
	}
	r.options.Lanes = 2
	r.options.Table = func(_ context.Context, rel *decoder.Relation) (applier.Route, error) {
		return applier.Route{Lane: int(rel.Name[0] - 'c')}, nil
	}
	_, err := r.follow(t)
	if err == nil {
		t.Fatal("no error")
	}
	if !strings.Contains(err.Error(), "public.c") {
		t.Errorf("Run: %v", err)
	}
	// The lane in error has none of its batch, the other one a whole number of transactions.
	pgtest.Exec(t, r.target, `DELETE FROM c WHERE id = 50`)
	for lane, table := range []string{"c", "d"} {
		rows := pgtest.Query(t, r.target, "SELECT count(*) FROM "+table)[0][0]
		if changes := pgtest.Query(t, r.target, "SELECT coalesce(sum(changes), 0) FROM progress.checkpoint WHERE lane = $1", lane)[0][0]; rows != changes {
			t.Errorf("lane %d says %s changes, table %s has %s rows", lane, changes, table, rows)
		}
	}
	r.mustFollow(t)
}

// TestApplier_TruncateInSeveralLanes truncates tables of different lanes in one
// statement, between rows, in a transaction that is larger than a batch.
func TestApplier_TruncateInSeveralLanes(t *testing.T) {
	t.Parallel()
	var schema []string
	for i := range 5 {
		schema = append(schema, fmt.Sprintf(`CREATE TABLE t%d (id serial PRIMARY KEY, v text)`, i))
	}
	// The first two are tied: one cannot be truncated without the other.
	schema = append(schema, `ALTER TABLE t1 ADD FOREIGN KEY (id) REFERENCES t0`)
	r := newReplica(t, schema...)
	r.publish(t, "FOR ALL TABLES")
	pgtest.Exec(t, r.source, `DO $$ BEGIN
		FOR round IN 1..3 LOOP
			FOR i IN 0..4 LOOP
				EXECUTE format('INSERT INTO t%s (v) SELECT repeat(''x'', 100) FROM generate_series(1, 200)', i);
			END LOOP;
			TRUNCATE t0, t1, t2, t3 RESTART IDENTITY;
			INSERT INTO t0 (v) VALUES ('after'); INSERT INTO t3 (v) VALUES ('after');
			UPDATE t4 SET v = v || round;
		END LOOP;
	END $$`, `INSERT INTO t2 (v) VALUES ('last')`)
	for _, lanes := range []int{2, 8} {
		r.reset(t, schema...)
		r.options.Lanes, r.options.MaxBatchBytes = lanes, 10_000
		r.options.Table = func(_ context.Context, rel *decoder.Relation) (applier.Route, error) {
			return applier.Route{Lane: max(1, int(rel.Name[1]-'0')) - 1 - 8}, nil
		}
		r.mustFollow(t)
	}
}

// TestApplier_LanesWithoutChangesAdvance reports the least of all lanes, and lets
// those that have nothing to write keep up.
func TestApplier_LanesWithoutChangesAdvance(t *testing.T) {
	t.Parallel()
	r := newReplica(t, `CREATE TABLE c (id int)`)
	r.options.Lanes = 3
	pgtest.Exec(t, r.target, `INSERT INTO progress.checkpoint VALUES (1, '0/20', '0/0', 0, 0, 0), (2, '0/105', '0/0', 0, 0, 0)`)
	a := r.applier(t)
	if a.Applied() != 0 {
		t.Errorf("applied %s before the start", a.Applied())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	relation := &decoder.Relation{OID: 1, Namespace: "public", Name: "c", Columns: []decoder.Column{{Name: "id", TypeOID: 23}}}
	change := &decoder.Change{Op: decoder.Insert, Relation: relation, New: decoder.Tuple{{Kind: decoder.Text, Data: []byte("1")}}}
	// Lane 1 has the table; the first transactions are on the target already.
	for i := range decoder.LSN(30) {
		tx := &decoder.Transaction{CommitLSN: 10*i + 10, EndLSN: 10*i + 15, CommitTime: time.Now()}
		if err := errors.Join(a.Begin(tx), a.Change(change), a.Commit(tx)); err != nil {
			t.Fatal(err)
		}
	}
	pgtest.Eventually(t, "all is durable", func() bool { return a.Durable() == 305 && a.Applied() == 305 })
	if got := pgtest.Query(t, r.target, "SELECT count(*) FROM c")[0][0]; got != "27" {
		t.Errorf("%s rows, want those of the 27 transactions from 0/20 on", got)
	}
	if s := a.Stats(); s.Transactions != 30 || s.Inserts != 27 {
		t.Errorf("%+v", s)
	}
	if err := a.Idle(0x400, true); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, "an urgent position is durable", func() bool { return a.Durable() == 0x400 })
	if got := pgtest.Query(t, r.target, "SELECT count(*) FROM progress.checkpoint WHERE lsn = '0/400'")[0][0]; got != "3" {
		t.Errorf("%s of 3 lanes are there", got)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}
