package target

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// TableState is how far one table has come.
type TableState string

// The states of a table.
const (
	TablePending  TableState = "pending"
	TableCopying  TableState = "copying"
	TableIndexing TableState = "indexing"
	TableReady    TableState = "ready"
	TableSkipped  TableState = "skipped"
)

// Table is the ledger's row of one table.
type Table struct {
	Namespace, Name string
	State           TableState
	Watermark       pglogrepl.LSN // zero until copied
	Rows, Bytes     int64
	Seconds         float64
	MissedUpdates   int64
	MissedDeletes   int64
	Reason          string // why it is skipped, or what of it is not moved
	RowByRow        string // why its changes are applied one by one; empty when they are not
	Lane            int    // that its changes are applied in, or NoLane
	// Split are the key columns by whose hash its rows are spread over all lanes
	// instead; nil when they are not.
	Split []string
}

// Copied reports whether the table's rows are on the target.
func (t Table) Copied() bool { return t.State == TableIndexing || t.State == TableReady }

// Tables reads the ledger of a migration, by name.
func Tables(ctx context.Context, conn *pgx.Conn, migration string) ([]Table, error) {
	rows, err := conn.Query(ctx, `
		SELECT namespace, name, state, watermark::text, rows, bytes, seconds, missed_updates, missed_deletes, reason, row_by_row,
		       coalesce(lane, -1), split
		FROM walferry."table" WHERE migration = $1 ORDER BY namespace, name`, migration)
	if err != nil {
		return nil, errors.Wrap(err, "read the table ledger on the target")
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Table, err error) {
		var watermark *string
		err = row.Scan(&t.Namespace, &t.Name, &t.State, &watermark, &t.Rows, &t.Bytes, &t.Seconds,
			&t.MissedUpdates, &t.MissedDeletes, &t.Reason, &t.RowByRow, &t.Lane, &t.Split)
		if err == nil && watermark != nil {
			t.Watermark, err = pglogrepl.ParseLSN(*watermark)
		}
		return t, err
	})
	return tables, errors.Wrap(err, "read the table ledger on the target")
}

// AddTables records tables that the ledger does not have yet; others are left as they are.
func AddTables(ctx context.Context, conn Execer, migration string, tables []Table) error {
	if len(tables) == 0 {
		return nil
	}
	columns := make([][]string, 4) // one statement for all: there may be a hundred thousand
	watermarks := make([]*string, len(tables))
	for i, t := range tables {
		for c, value := range []string{t.Namespace, t.Name, string(t.State), t.Reason} {
			columns[c] = append(columns[c], value)
		}
		watermarks[i] = lsnText(t.Watermark)
	}
	_, err := conn.Exec(ctx, `
		INSERT INTO walferry."table" (migration, namespace, name, state, reason, watermark)
		SELECT $1, t.* FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[]),
			pg_catalog.unnest($5::text[]), pg_catalog.unnest($6::text[]::pg_lsn[])) t
		ON CONFLICT DO NOTHING`, migration, columns[0], columns[1], columns[2], columns[3], watermarks)
	return errors.Wrap(err, "record tables in the ledger on the target")
}

// StartCopy shows in the ledger that a table is being copied.
func StartCopy(ctx context.Context, conn Execer, migration, namespace, name string) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry."table" SET state = 'copying'
		WHERE migration = $1 AND namespace = $2 AND name = $3 AND state = 'pending'`, migration, namespace, name)
	return errors.Wrapf(err, "record on the target that table %s.%s is being copied", namespace, name)
}

// CopyAgain takes back that tables are copied: their rows are to be replaced.
func CopyAgain(ctx context.Context, conn Execer, migration string) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry."table" SET state = $2 WHERE migration = $1 AND state IN ($3, $4)`,
		migration, TableCopying, TableIndexing, TableReady)
	return errors.Wrap(err, "record on the target that its tables are copied again")
}

// IndexesDone marks every copied table as ready.
func IndexesDone(ctx context.Context, conn Execer, migration string) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry."table" SET state = $3 WHERE migration = $1 AND state = $2`,
		migration, TableIndexing, TableReady)
	return errors.Wrap(err, "record tables as ready on the target")
}

// SetRowByRow records the tables whose changes are applied one by one, and why; all
// others are applied as sets.
func SetRowByRow(ctx context.Context, conn Execer, migration string, tables []Table) error {
	columns := make([][]string, 3)
	for _, t := range tables {
		for c, value := range []string{t.Namespace, t.Name, t.RowByRow} {
			columns[c] = append(columns[c], value)
		}
	}
	_, err := conn.Exec(ctx, `
		WITH listed AS MATERIALIZED (
			SELECT * FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) l (namespace, name, reason)
		), now AS (
			SELECT t.namespace, t.name, coalesce(l.reason, '') AS reason
			FROM walferry."table" t LEFT JOIN listed l USING (namespace, name) WHERE t.migration = $1
		)
		UPDATE walferry."table" t SET row_by_row = now.reason FROM now
		WHERE t.migration = $1 AND t.namespace = now.namespace AND t.name = now.name AND t.row_by_row <> now.reason`,
		migration, columns[0], columns[1], columns[2])
	return errors.Wrap(err, "record how tables are applied on the target")
}

func lsnText(lsn pglogrepl.LSN) *string {
	if lsn == 0 {
		return nil
	}
	s := lsn.String()
	return &s
}

// LockTable locks the row of a table that is copied outside of the stream, in the
// transaction that copies it, and reports whether it was copied before.
func LockTable(ctx context.Context, conn *pgx.Conn, migration, namespace, name string) (copied bool, err error) {
	err = conn.QueryRow(ctx, `
		SELECT state IN ('indexing', 'ready') FROM walferry."table"
		WHERE migration = $1 AND namespace = $2 AND name = $3 FOR UPDATE`, migration, namespace, name).Scan(&copied)
	return copied, errors.Wrapf(err, "lock table %s.%s in the ledger", namespace, name)
}

// CopiedUnlogged records, in the transaction that wrote the rows, that a table is
// copied that the stream does not keep up to date.
func CopiedUnlogged(ctx context.Context, conn Execer, migration string, t Table) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry."table" SET state = $4, rows = $5, bytes = $6, seconds = $7, reason = ''
		WHERE migration = $1 AND namespace = $2 AND name = $3`,
		migration, t.Namespace, t.Name, TableReady, t.Rows, t.Bytes, t.Seconds)
	return errors.Wrapf(err, "record table %s.%s as copied", t.Namespace, t.Name)
}
