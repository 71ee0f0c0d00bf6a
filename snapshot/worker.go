package snapshot

import (
	"context"
	"log/slog"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/failpoint"
)

// closeTimeout bounds the farewell to a server when the run's context may be gone.
const closeTimeout = 5 * time.Second

// worker copies one table after the other. Its source transaction holds the
// snapshot from the first to the last of them.
type worker struct {
	options        *Options
	source, target *pgx.Conn
	pipe           pipe
	failed         bool
}

func newWorker(ctx context.Context, o *Options) (*worker, error) {
	source, err := o.Source(ctx)
	if err != nil {
		return nil, errors.Wrap(err, "connect to the source")
	}
	if err := importSnapshot(ctx, source, o.SnapshotName); err != nil {
		closeConn(ctx, source)
		return nil, err
	}
	target, err := o.Target(ctx)
	if err != nil {
		closeConn(ctx, source)
		return nil, errors.Wrap(err, "connect to the target")
	}
	return &worker{
		options: o,
		source:  source,
		target:  target,
		pipe:    pipe{source: source.PgConn(), target: target.PgConn(), buf: make([]byte, pipeBytes)},
	}, nil
}

// copy moves one table in one target transaction.
func (w *worker) copy(ctx context.Context, t *Table) (err error) {
	defer func() { w.failed = err != nil }()
	o := w.options
	began := time.Now()
	var result Result
	o.Progress(Progress{Table: t, State: Started})
	if _, err := w.target.Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED"); err != nil {
		return errors.Wrap(err, "begin the target transaction")
	}
	failpoint.Hit("copy: before a table")
	switch err := o.Ledger.Begin(ctx, w.target, t); {
	case errors.Is(err, ErrCopied):
		_, err := w.target.Exec(ctx, "ROLLBACK")
		return errors.Wrap(err, "leave the table as it is")
	case err != nil:
		return errors.Wrap(err, "begin the ledger entry")
	}
	frozen, err := w.truncate(ctx, t)
	if err != nil {
		return err
	}
	listed := *t
	if listed.Columns, err = w.columns(ctx, t); err != nil {
		return err
	}
	read, written, err := w.pipe.run(ctx, listed.copyTo(), listed.copyFrom(frozen), func(n int64) {
		failpoint.Hit("copy: in the rows")
		result.Bytes += n
		result.Elapsed = time.Since(began)
		o.Progress(Progress{Table: t, State: Copying, Result: result})
	})
	if err != nil {
		return err
	}
	if read != written {
		err := errors.Newf("the source sent %d rows, the target took %d", read, written)
		return errors.WithHint(err, "A trigger or rule on the target table swallows rows: disable it for the copy.")
	}
	result.Rows, result.Elapsed = written, time.Since(began)
	failpoint.Hit("copy: before the ledger")
	if err := o.Ledger.Done(ctx, w.target, t, result); err != nil {
		return errors.Wrap(err, "complete the ledger entry")
	}
	failpoint.Hit("copy: before COMMIT")
	if _, err := w.target.Exec(ctx, "COMMIT"); err != nil {
		return errors.Wrap(err, "commit the target transaction")
	}
	failpoint.Hit("copy: committed")
	o.Logger.LogAttrs(ctx, slog.LevelInfo, "table copied", slog.String("table", t.String()),
		slog.Int64("rows", result.Rows), slog.Int64("bytes", result.Bytes), slog.Duration("elapsed", result.Elapsed))
	o.Progress(Progress{Table: t, State: Done, Result: result})
	return nil
}

// columns returns the columns to copy, by name: the order on the target may differ.
func (w *worker) columns(ctx context.Context, t *Table) ([]string, error) {
	if len(t.Columns) > 0 {
		return t.Columns, nil
	}
	const query = `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass
		AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`
	rows, err := w.source.Query(ctx, query, t.quoted())
	if err != nil {
		return nil, errors.Wrap(err, "list the columns of the source table")
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return columns, errors.Wrap(err, "list the columns of the source table")
}

// truncate empties the target table if that is asked for, and says whether the
// rows can be written frozen: never into partitions by way of their root.
func (w *worker) truncate(ctx context.Context, t *Table) (frozen bool, err error) {
	if !t.Truncate {
		return false, nil
	}
	err = w.target.QueryRow(ctx, "SELECT relkind = 'r' FROM pg_catalog.pg_class WHERE oid = $1::text::regclass",
		t.quoted()).Scan(&frozen)
	if err != nil {
		return false, errors.Wrap(err, "look up the target table")
	}
	only := ""
	if frozen {
		only = "ONLY "
	}
	if _, err := w.target.Exec(ctx, "TRUNCATE "+only+t.quoted()); err != nil {
		return false, errors.Wrap(err, "empty the target table")
	}
	return frozen, nil
}

// close ends both sessions. After a failure a statement may still be running on
// either side, which would go on until it next talks to us.
func (w *worker) close(ctx context.Context) {
	if w.failed {
		cancelStatement(ctx, w.source)
		cancelStatement(ctx, w.target)
	}
	closeConn(ctx, w.source)
	closeConn(ctx, w.target)
}

func cancelStatement(ctx context.Context, c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = c.PgConn().CancelRequest(ctx)
}

func closeConn(ctx context.Context, c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = c.Close(ctx)
	// A statement that its context ended is cancelled in the background.
	select {
	case <-c.PgConn().CleanupDone():
	case <-ctx.Done():
	}
}
