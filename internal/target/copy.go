package target

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
)

// TableCopy is the copy of one table by one run, from one snapshot.
type TableCopy struct {
	Migration, Namespace, Name string
	// Epoch is the run's, Watermark the snapshot's consistent point, or zero.
	Epoch     int64
	Watermark pglogrepl.LSN
}

// Begin locks the table's row in the ledger until the end of the transaction, and
// reports whether there is something left to do: the commit of a run that was killed
// may have arrived since. With chunks, those are from now on the only ones that may be
// written. leftover says that rows of an earlier run's chunks are in the table.
func (c TableCopy) Begin(ctx context.Context, conn *pgx.Conn, chunks int) (uncopied, leftover bool, err error) {
	err = conn.QueryRow(ctx, `
		SELECT state IN ('pending', 'copying'), chunks > 0 FROM walferry."table"
		WHERE migration = $1 AND namespace = $2 AND name = $3 FOR UPDATE`, c.Migration, c.Namespace, c.Name).Scan(&uncopied, &leftover)
	if err != nil || !uncopied || chunks == 0 && !leftover {
		return uncopied, leftover, errors.Wrapf(err, "lock table %s.%s in the ledger", c.Namespace, c.Name)
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM walferry.chunk WHERE migration = $1 AND namespace = $2 AND name = $3`, c.Migration, c.Namespace, c.Name)
	batch.Queue(`
		UPDATE walferry."table" SET state = 'copying', chunks = $4, copy_epoch = $5, watermark = $6::text::pg_lsn
		WHERE migration = $1 AND namespace = $2 AND name = $3`,
		c.Migration, c.Namespace, c.Name, chunks, c.Epoch, lsnText(c.Watermark))
	err = conn.SendBatch(ctx, batch).Close()
	return uncopied, leftover, errors.Wrapf(err, "record on the target that table %s.%s is being copied", c.Namespace, c.Name)
}

// BeginChunk locks the table's row against another run that would begin the table
// anew, and reports whether the chunk is still to be written.
func (c TableCopy) BeginChunk(ctx context.Context, conn *pgx.Conn, number int) (uncopied bool, err error) {
	err = conn.QueryRow(ctx, `
		SELECT NOT EXISTS (SELECT FROM walferry.chunk c
			WHERE c.migration = t.migration AND c.namespace = t.namespace AND c.name = t.name AND c.number = $5)
		FROM walferry."table" t
		WHERE migration = $1 AND namespace = $2 AND name = $3 AND state = 'copying' AND copy_epoch = $4
		FOR SHARE OF t`, c.Migration, c.Namespace, c.Name, c.Epoch, number).Scan(&uncopied)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errors.New("another instance of walferry copies this table")
	}
	return uncopied, errors.Wrapf(err, "lock table %s.%s in the ledger", c.Namespace, c.Name)
}

// ChunkDone records a chunk in the transaction that wrote its rows.
func (c TableCopy) ChunkDone(ctx context.Context, conn Execer, number int, rows, bytes int64) error {
	_, err := conn.Exec(ctx, `INSERT INTO walferry.chunk (migration, namespace, name, number, rows, bytes) VALUES ($1, $2, $3, $4, $5, $6)`,
		c.Migration, c.Namespace, c.Name, number, rows, bytes)
	return errors.Wrapf(err, "record a chunk of table %s.%s as copied", c.Namespace, c.Name)
}

// Done records, in the transaction that wrote the rows, or in one after those of all
// chunks, that the table is copied as of the snapshot.
func (c TableCopy) Done(ctx context.Context, conn Execer, rows, bytes int64, seconds float64) error {
	tag, err := conn.Exec(ctx, `
		UPDATE walferry."table" t SET state = $4, watermark = $5::text::pg_lsn, rows = $6, bytes = $7, seconds = $8
		WHERE migration = $1 AND namespace = $2 AND name = $3 AND state NOT IN ('indexing', 'ready')
		  AND (chunks = 0 OR copy_epoch = $9 AND `+allChunks+`)`,
		c.Migration, c.Namespace, c.Name, TableIndexing, lsnText(c.Watermark), rows, bytes, seconds, c.Epoch)
	if err == nil && tag.RowsAffected() != 1 {
		err = errors.New("the ledger does not expect this table: another instance has copied it")
	}
	return errors.Wrapf(err, "record table %s.%s as copied", c.Namespace, c.Name)
}

// allChunks is true for a table t whose every chunk is there.
const allChunks = `t.chunks = (SELECT pg_catalog.count(*) FROM walferry.chunk c
	WHERE c.migration = t.migration AND c.namespace = t.namespace AND c.name = t.name)`

// CompleteChunked records the tables as copied whose last chunk a run that was killed
// had written: all of their chunks are from one snapshot.
func CompleteChunked(ctx context.Context, conn Execer, migration string) error {
	_, err := conn.Exec(ctx, `
		UPDATE walferry."table" t SET state = $2,
			(rows, bytes) = (SELECT pg_catalog.sum(c.rows), pg_catalog.sum(c.bytes) FROM walferry.chunk c
				WHERE c.migration = t.migration AND c.namespace = t.namespace AND c.name = t.name)
		WHERE t.migration = $1 AND t.state = 'copying' AND t.chunks > 0 AND `+allChunks, migration, TableIndexing)
	return errors.Wrap(err, "complete the tables on the target whose chunks are all copied")
}
