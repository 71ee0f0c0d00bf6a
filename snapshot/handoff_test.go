package snapshot_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/snapshot"
)

// TestRun_HandoffAfterALostSnapshot follows docs/design/handoff.md on real
// servers, with writers that never pause: table a comes from the first slot's
// snapshot, table b from a temporary slot's, and every change of the stream that
// is not skipped must find exactly the row that it changed.
func TestRun_HandoffAfterALostSnapshot(t *testing.T) {
	t.Parallel()
	source, target := databases(t)
	const schema = `CREATE TABLE a (id int PRIMARY KEY, v int, big text); CREATE TABLE b (id int PRIMARY KEY, v int, big text);
		ALTER TABLE a ALTER big SET STORAGE EXTERNAL; ALTER TABLE b ALTER big SET STORAGE EXTERNAL;`
	pgtest.Exec(t, source, schema, "CREATE PUBLICATION p FOR TABLE a, b")
	pgtest.Exec(t, target, schema)
	slot := pgtest.Query(t, source, "SELECT current_database()")[0][0]

	var committed atomic.Int64
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for seed := range uint64(2) {
		writers.Go(func() { write(t, source, seed, &committed, stop) })
	}
	busy := func(what string) {
		from := committed.Load()
		pgtest.Eventually(t, what, func() bool { return committed.Load() >= from+200 })
	}

	busy("there are rows")
	table := func(name string) []snapshot.Table { return []snapshot.Table{{Namespace: "public", Name: name}} }
	first := newSlot(t, source, slot, "")
	busy("rows have changed since the first snapshot")
	o := options(source, target)
	o.SnapshotName = first.snapshot
	if err := snapshot.Run(t.Context(), o, table("a")); err != nil {
		t.Fatal(err)
	}
	first.close(t)
	pgtest.Eventually(t, "the exporter's session ends", func() bool {
		return pgtest.Query(t, source, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'walsender'`)[0][0] == "0"
	})
	if err := snapshot.Run(t.Context(), o, table("b")); !errors.Is(err, snapshot.ErrSnapshotLost) {
		t.Fatalf("with the first snapshot gone: %v", err)
	}
	busy("rows have changed since the snapshot was lost")
	second := newSlot(t, source, slot+"_b", "TEMPORARY")
	busy("rows have changed since the second snapshot")
	o.SnapshotName = second.snapshot
	if err := snapshot.Run(t.Context(), o, table("b")); err != nil {
		t.Fatal(err)
	}
	second.close(t)
	busy("rows have changed since the copy")
	close(stop)
	writers.Wait()

	exact := &exactApplier{
		ctx: t.Context(), conn: pgtest.Connect(t, target),
		marks: map[string]decoder.LSN{"a": first.point, "b": second.point},
	}
	replay(t, source, slot, exact)
	for _, name := range []string{"a", "b"} {
		hasRows(t, target, name, rowsOf(t, source, name))
	}
	if exact.skipped == 0 || exact.applied == 0 {
		t.Errorf("%d changes applied, %d skipped: the test shows nothing", exact.applied, exact.skipped)
	}
}

// write commits small transactions on keys of its own until stop is closed.
func write(t *testing.T, uri string, seed uint64, committed *atomic.Int64, stop <-chan struct{}) {
	t.Helper()
	ctx := t.Context()
	c, err := pgx.Connect(ctx, uri)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close(ctx) //nolint:errcheck // nothing is lost
	random := rand.New(rand.NewPCG(seed, 1))
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		k := int(seed)*100 + random.IntN(20)
		moved := k + 50
		batch := &pgx.Batch{}
		for _, table := range []string{"a", "b"} {
			switch random.IntN(5) {
			case 0, 1:
				batch.Queue("INSERT INTO "+table+" VALUES ($1, $2::int, repeat(md5(($2::int)::text), 100)) ON CONFLICT (id) DO UPDATE SET v = $2::int", k, random.IntN(1000))
			case 2:
				batch.Queue("DELETE FROM "+table+" WHERE id = $1", k)
			case 3:
				batch.Queue("UPDATE "+table+" SET id = $2, v = v + 1 WHERE id = $1 AND NOT EXISTS (SELECT FROM "+table+" WHERE id = $2)", k, moved)
			case 4:
				batch.Queue("UPDATE "+table+" SET id = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM "+table+" WHERE id = $2)", moved, k)
			}
		}
		if err := c.SendBatch(ctx, batch).Close(); err != nil {
			t.Error(err)
			return
		}
		committed.Add(1)
	}
}

// exportingSlot is a new slot and the connection that holds its snapshot open.
type exportingSlot struct {
	conn     *pgconn.PgConn
	point    decoder.LSN
	snapshot string
}

func newSlot(t *testing.T, uri, name, temporary string) exportingSlot {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), uri+"&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	results, err := conn.Exec(t.Context(), "CREATE_REPLICATION_SLOT "+name+" "+temporary+" LOGICAL pgoutput EXPORT_SNAPSHOT").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	row := results[0].Rows[0]
	point, err := pglogrepl.ParseLSN(string(row[1]))
	if err != nil {
		t.Fatal(err)
	}
	return exportingSlot{conn: conn, point: point, snapshot: string(row[2])}
}

func (s exportingSlot) close(t *testing.T) {
	t.Helper()
	if err := s.conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// replay hands over all transactions of the slot.
func replay(t *testing.T, uri, slot string, h decoder.Handler) {
	t.Helper()
	assembler := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: t.TempDir()}, h)
	c := pgtest.Connect(t, uri)
	rows, err := c.Query(t.Context(), `SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'p')`, slot)
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&data}, func() error { return assembler.Push(0, data) }); err != nil {
		t.Fatal(err)
	}
	if err := assembler.Close(); err != nil {
		t.Fatal(err)
	}
}

// exactApplier applies each change by itself and refuses any that does not hit one row.
type exactApplier struct {
	ctx              context.Context //nolint:containedctx // lives as long as one call of replay
	conn             *pgx.Conn
	marks            map[string]decoder.LSN
	commit           decoder.LSN
	applied, skipped int
}

func (e *exactApplier) Begin(tx *decoder.Transaction) error {
	e.commit = tx.CommitLSN
	return nil
}

func (e *exactApplier) Commit(*decoder.Transaction) error { return nil }

func (e *exactApplier) Message(bool, decoder.LSN, string, []byte) error { return nil }

func (e *exactApplier) Change(c *decoder.Change) error {
	if e.commit < e.marks[c.Relation.Name] {
		e.skipped++
		return nil
	}
	var sql string
	var values []any
	value := func(v decoder.Value) any { return string(v.Data) }
	switch c.Op {
	case decoder.Insert:
		sql = "INSERT INTO " + c.Relation.Name + " VALUES ($1::text::int, $2::text::int, $3)"
		values = []any{value(c.New[0]), value(c.New[1]), value(c.New[2])}
	case decoder.Update:
		key := c.New[0]
		if c.OldKind != decoder.OldNone {
			key = c.Old[0]
		}
		sql = "UPDATE " + c.Relation.Name + " SET id = $2::text::int, v = $3::text::int WHERE id = $1::text::int"
		values = []any{value(key), value(c.New[0]), value(c.New[1])}
		if c.New[2].Kind != decoder.Unchanged {
			return errors.Newf("an UPDATE that left the value alone carries it")
		}
	case decoder.Delete:
		sql, values = "DELETE FROM "+c.Relation.Name+" WHERE id = $1::text::int", []any{value(c.Old[0])}
	case decoder.Truncate:
		return errors.New("nobody truncates")
	}
	tag, err := e.conn.Exec(e.ctx, sql, values...)
	if err == nil && tag.RowsAffected() != 1 {
		err = errors.Newf("%s %v at %s: %d rows", sql, values[0], e.commit, tag.RowsAffected())
	}
	e.applied++
	return err
}
