package target_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/target"
)

// TestLaneTables groups what foreign keys tie, through tables that are not moved and
// through partitions, too.
func TestLaneTables(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, 15).Database(t,
		`CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE between (id int PRIMARY KEY REFERENCES a); CREATE TABLE b (id int REFERENCES between)`,
		`CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE TABLE c (id int REFERENCES p)`,
		`CREATE TABLE q (id int) PARTITION BY RANGE (id); CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (9); CREATE TABLE q2 PARTITION OF q DEFAULT`)
	conn := connect(t, uri)
	m := migration(t, conn, "lanes")
	var tables []target.Table
	for _, name := range []string{"a", "b", "c", "p1", "q1", "q2", "gone", "lost"} {
		tables = append(tables, target.Table{Namespace: "public", Name: name, State: target.TableReady, Watermark: 7})
	}
	if err := target.AddTables(t.Context(), conn, m.Name, append(tables, target.Table{Namespace: "public", Name: "skipped", State: target.TableSkipped})); err != nil {
		t.Fatal(err)
	}
	read, err := target.LaneTables(t.Context(), conn, m.Name, true)
	if err != nil {
		t.Fatal(err)
	}
	members := map[uint32]string{}
	for _, table := range read {
		members[table.Group] += " " + table.Name
		if table.Lane != target.NoLane || table.Watermark != 7 || table.Bytes < 8192 {
			t.Errorf("%+v", table)
		}
	}
	if len(members) != 5 || members[0] != " gone lost" {
		t.Errorf("groups: %v", members)
	}
	for _, names := range members {
		if n := strings.Count(names, " "); n > 1 && names != " a b" && names != " c p1" && names != " gone lost" {
			t.Errorf("these share a lane:%s", names)
		}
	}
}

// TestSetLanes keeps positions and counts, and is fenced.
func TestSetLanes(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.Server(t, 15).Database(t))
	m := migration(t, conn, "lanes")
	epoch, err := target.BeginEpoch(t.Context(), conn, m.Name, "migrate", "somebody")
	if err == nil {
		err = target.StartCheckpoint(t.Context(), conn, m.Name, epoch, 100)
	}
	if err == nil {
		err = target.AddTables(t.Context(), conn, m.Name, []target.Table{{Namespace: "s", Name: "a", State: target.TableReady}})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 4, 2, 3, 1} {
		if err := target.SetLanes(t.Context(), conn, m.Name, epoch, n, []target.LaneTable{{Namespace: "s", Name: "a", Lane: n - 1}}); err != nil {
			t.Fatal(err)
		}
		for lane := range n {
			reached := applier.Checkpoint{Lane: lane, EndLSN: pglogrepl.LSN(100 + n), Transactions: 1, Changes: 2}
			if err := save(t, conn, target.Checkpointer{Migration: m.Name, Epoch: epoch}, reached); err != nil {
				t.Fatal(err)
			}
		}
		c, err := target.LoadCheckpoint(t.Context(), conn, m.Name)
		if err != nil || len(c.Lanes) != n || c.LSN != pglogrepl.LSN(100+n) {
			t.Errorf("%d lanes: %+v, %v", n, c, err)
		}
		if tables, err := target.Tables(t.Context(), conn, m.Name); err != nil || tables[0].Lane != n-1 {
			t.Errorf("%d lanes: %+v, %v", n, tables, err)
		}
	}
	var transactions, changes int
	err = conn.QueryRow(t.Context(), `SELECT sum(transactions), sum(changes) FROM walferry.checkpoint`).Scan(&transactions, &changes)
	if err != nil || transactions != 11 || changes != 22 {
		t.Errorf("%d transactions, %d changes, %v", transactions, changes, err)
	}
	if err := target.SetLanes(t.Context(), conn, m.Name, epoch-1, 2, nil); !errors.Is(err, applier.ErrFenced) {
		t.Errorf("a replaced run: %v", err)
	}
	beyond := applier.Checkpoint{Lane: 1, EndLSN: 500}
	if err := save(t, conn, target.Checkpointer{Migration: m.Name, Epoch: epoch}, beyond); !errors.Is(err, applier.ErrFenced) {
		t.Errorf("a lane that there is not: %v", err)
	}
}

// save saves a checkpoint.
func save(t *testing.T, conn *pgx.Conn, c target.Checkpointer, reached applier.Checkpoint) error {
	t.Helper()
	batch := &pgx.Batch{}
	c.Save(batch, reached)
	return conn.SendBatch(t.Context(), batch).Close()
}
