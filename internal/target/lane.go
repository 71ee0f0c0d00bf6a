package target

import (
	"context"
	_ "embed"
	"encoding/json"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/applier"
)

// NoLane is the lane of a table that has not been given one.
const NoLane = -1

// LaneTable is a table of the ledger with what its lane depends on.
type LaneTable struct {
	Namespace, Name string
	// Group is the same for tables that foreign keys on the target tie, however
	// indirectly; 0 for a table that the target lacks.
	Group uint32
	// Bytes is its size, at least one page; that of its copy when sizes were not asked for.
	Bytes     int64
	Watermark pglogrepl.LSN
	// Lane is the lane that its changes are applied in, or NoLane.
	Lane int
	// Split are the key columns by whose hash its rows are spread over all lanes
	// instead, nil when they are not; Key are those by which they may be.
	Split, Key []string
}

//go:embed splitkey.sql
var splitKeySQL string

// LaneTables reads the tables whose changes are applied, by name. For sizes the server opens
// every table, and keeps what it learns of each for as long as the connection lives.
func LaneTables(ctx context.Context, conn *pgx.Conn, migration string, sizes bool) ([]LaneTable, error) {
	tied, err := ties(ctx, conn)
	if err != nil {
		return nil, errors.Wrap(err, "read the foreign keys of the target")
	}
	// Foreign keys of a partitioned table tie all of its partitions.
	rows, err := conn.Query(ctx, `
		SELECT t.namespace, t.name, coalesce(c.oid, 0), coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid, 0),
		       8192 + greatest(t.bytes, CASE WHEN $2 THEN pg_catalog.pg_table_size(c.oid) END),
		       coalesce(t.watermark, '0/0')::text, coalesce(t.lane, -1), t.split,
		       CASE WHEN t.one_lane = '' THEN (`+splitKeySQL+`) END
		FROM walferry."table" t
		LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.namespace
		LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
		WHERE t.migration = $1 AND t.state <> 'skipped'
		ORDER BY t.namespace, t.name`, migration, sizes)
	if err != nil {
		return nil, errors.Wrap(err, "read the lanes of tables on the target")
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t LaneTable, err error) {
		var root uint32
		var watermark string
		err = row.Scan(&t.Namespace, &t.Name, &t.Group, &root, &t.Bytes, &watermark, &t.Lane, &t.Split, &t.Key)
		if _, ok := tied[root]; ok {
			t.Group, t.Key = tied.first(root), nil
		}
		if err == nil {
			t.Watermark, err = pglogrepl.ParseLSN(watermark)
		}
		return t, err
	})
	return tables, errors.Wrap(err, "read the lanes of tables on the target")
}

// sets are disjoint sets of tables: each but one of a set names another of it.
type sets map[uint32]uint32

// ties reads which tables of the target foreign keys tie together.
func ties(ctx context.Context, conn *pgx.Conn) (sets, error) {
	rows, err := conn.Query(ctx, `
		SELECT coalesce(pg_catalog.pg_partition_root(conrelid)::oid, conrelid),
		       coalesce(pg_catalog.pg_partition_root(confrelid)::oid, confrelid)
		FROM pg_catalog.pg_constraint WHERE contype = 'f'`)
	if err != nil {
		return nil, err
	}
	s := sets{}
	var a, b uint32
	_, err = pgx.ForEachRow(rows, []any{&a, &b}, func() error {
		for _, oid := range []uint32{a, b} {
			if _, ok := s[oid]; !ok {
				s[oid] = oid
			}
		}
		s[s.first(a)] = s.first(b)
		return nil
	})
	return s, err
}

// first returns the table that stands for the set.
func (s sets) first(oid uint32) uint32 {
	for s[oid] != oid {
		s[oid] = s[s[oid]]
		oid = s[oid]
	}
	return oid
}

// SetLanes assigns the tables to lanes and makes the checkpoints those of n lanes, in
// one transaction. Where anything but tables without a lane changes, all lanes must
// stand at the same LSN.
func SetLanes(ctx context.Context, conn *pgx.Conn, migration string, epoch int64, n int, tables []LaneTable) error {
	type assignment struct {
		Namespace string   `json:"namespace"`
		Name      string   `json:"name"`
		Lane      int      `json:"lane"`
		Split     []string `json:"split"`
	}
	assigned := make([]assignment, len(tables))
	for i, t := range tables {
		assigned[i] = assignment{t.Namespace, t.Name, t.Lane, t.Split}
	}
	list, err := json.Marshal(assigned)
	if err != nil {
		return errors.Wrap(err, "name the lanes of tables")
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			// The first row takes over the counts of those that go.
			`WITH gone AS (
				DELETE FROM walferry.checkpoint WHERE migration = $1 AND lane >= $3 AND epoch = $2
				RETURNING transactions, changes
			)
			UPDATE walferry.checkpoint SET
				transactions = transactions + coalesce((SELECT pg_catalog.sum(transactions) FROM gone), 0),
				changes = changes + coalesce((SELECT pg_catalog.sum(changes) FROM gone), 0)
			WHERE migration = $1 AND epoch = $2 AND lane = 0`,
			`INSERT INTO walferry.checkpoint (migration, lane, epoch, lsn, commit_lsn, commit_time)
			SELECT c.migration, l.lane, c.epoch, c.lsn, c.commit_lsn, c.commit_time
			FROM walferry.checkpoint c, pg_catalog.generate_series(1, $3::integer - 1) l (lane)
			WHERE c.migration = $1 AND c.epoch = $2 AND c.lane = 0
			ON CONFLICT (migration, lane) DO NOTHING`,
		} {
			if _, err := tx.Exec(ctx, sql, migration, epoch, n); err != nil {
				return err
			}
		}
		var rows int
		err := tx.QueryRow(ctx, `
			SELECT pg_catalog.count(*) FROM walferry.checkpoint WHERE migration = $1 AND epoch = $2`, migration, epoch).Scan(&rows)
		if err != nil {
			return err
		}
		if rows != n {
			return errors.Mark(errors.Newf("migration %q was taken over by another instance of walferry", migration), applier.ErrFenced)
		}
		_, err = tx.Exec(ctx, `
			UPDATE walferry."table" t SET lane = l.lane, split = l.split
			FROM pg_catalog.jsonb_to_recordset($2::text::jsonb) l (namespace text, name text, lane integer, split text[])
			WHERE t.migration = $1 AND t.namespace = l.namespace AND t.name = l.name
			  AND (t.lane, t.split) IS DISTINCT FROM (l.lane, l.split)`, migration, string(list))
		return err
	})
	return errors.Wrap(err, "assign tables to lanes on the target")
}

// KeepInOneLane records why a table must not be split any more. It takes effect when
// lanes are assigned.
func KeepInOneLane(ctx context.Context, conn Execer, migration, namespace, name, reason string) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry."table" SET one_lane = $4 WHERE migration = $1 AND namespace = $2 AND name = $3`,
		migration, namespace, name, reason)
	return errors.Wrapf(err, "record that table %s.%s is to be in one lane", namespace, name)
}
