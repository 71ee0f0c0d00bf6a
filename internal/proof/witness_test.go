package proof_test

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
)

// The witness: each of its transactions raises both counters and leaves a trail, in a
// table whose duplicates nothing forbids.
const witnessSchema = `
	CREATE SCHEMA witness;
	CREATE TABLE witness.counter (id int PRIMARY KEY, n bigint NOT NULL);
	INSERT INTO witness.counter VALUES (1, 0), (2, 0);
	CREATE TABLE witness.trail (n bigint NOT NULL);
	SELECT lo_from_bytea(0, 'a large object');`

var witnessTables = []string{"witness.counter", "witness.trail", "events.unique_pair", "events.wide", "events.toast", "events.shifted", "events.nokey", "events.truncated_a", "events.truncated_b"}

// witness writes until ctx is done, over reconnects.
func witness(ctx context.Context, uri string) error {
	work := context.WithoutCancel(ctx)
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(work) // nothing is lost
		}
	}()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if conn == nil || conn.IsClosed() {
			c, err := pgx.Connect(work, uri)
			if err != nil {
				continue // the server restarts
			}
			conn = c
		}
		_, err := conn.Exec(work, `BEGIN; UPDATE witness.counter SET n = n + 1 WHERE id = 1; UPDATE witness.counter SET n = n + 1 WHERE id = 2;
			INSERT INTO witness.trail SELECT n FROM witness.counter WHERE id = 1; COMMIT`)
		if err != nil && !conn.IsClosed() {
			return errors.Wrap(err, "write the witness")
		}
	}
}

// watch reads the witness on the target until the returned function is called, which
// fails the test if a counter ever went back, or if the two were ever seen apart and
// torn transactions are not allowed. Before the table's copy it sees nothing.
func (s scene) watch(t *testing.T, tornAllowed bool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	failed := make(chan error, 1)
	go func() {
		failed <- s.readWitness(ctx, tornAllowed)
	}()
	return func() {
		cancel()
		if err := <-failed; err != nil {
			t.Errorf("a reader of the target saw: %v", err)
		}
	}
}

func (s scene) readWitness(ctx context.Context, tornAllowed bool) error {
	work := context.WithoutCancel(ctx)
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(work) // nothing is lost
		}
	}()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var seen [2]int64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if conn == nil || conn.IsClosed() {
			c, err := pgx.Connect(work, s.target)
			if err != nil {
				continue // the server restarts
			}
			conn = c
		}
		var now [2]int64
		err := conn.QueryRow(work, `SELECT max(n) FILTER (WHERE id = 1), max(n) FILTER (WHERE id = 2) FROM witness.counter
			HAVING count(*) = 2`).Scan(&now[0], &now[1])
		switch {
		case err != nil:
			continue // the table is not there yet, is not copied yet, or is locked by its copy's TRUNCATE
		case now[0] < seen[0] || now[1] < seen[1]:
			return errors.Newf("the counters going back from %v to %v", seen, now)
		case now[0] != now[1] && !tornAllowed:
			return errors.Newf("a part of a transaction: %v", now)
		}
		seen = now
	}
}

// whole fails the test unless the trail holds every number once.
func (s scene) whole(t *testing.T) {
	t.Helper()
	row := pgtest.Query(t, s.target, `SELECT count(*), count(DISTINCT n), coalesce(max(n), 0) FROM witness.trail`)[0]
	if row[0] != row[1] || row[1] != row[2] {
		t.Errorf("the witness left %s rows of %s numbers up to %s", row[0], row[1], row[2])
	}
}
