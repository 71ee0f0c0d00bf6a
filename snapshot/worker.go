package snapshot

import (
	"context"
	_ "embed"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/retry"
)

// closeTimeout bounds the farewell to a server when the run's context may be gone.
const closeTimeout = 5 * time.Second

// worker copies one part after the other. Its source transaction holds the snapshot
// from the first to the last of them; its target connection may be replaced.
type worker struct {
	options        *Options
	ledger         ChunkLedger
	source, target *pgx.Conn // target is nil before the first part, and when it was lost
	pipe           pipe
	reading        *job   // whose table the source transaction may have locked
	uncertain      Result // of the part at hand, whose commit was not confirmed
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
	ledger, chunks := o.Ledger.(ChunkLedger)
	if !chunks {
		ledger = wholeLedger{o.Ledger}
	}
	return &worker{options: o, ledger: ledger, source: source, pipe: pipe{source: source.PgConn(), buf: make([]byte, pipeBytes)}}, nil
}

// patiently copies one part. When the target is lost it waits until that is back: the
// source's transaction lives meanwhile, and with it the snapshot.
func (w *worker) patiently(ctx context.Context, p *part) error {
	w.uncertain = Result{}
	var final error
	err := retry.Do(ctx, retry.Policy{For: w.options.RetryFor}, w.options.Logger, func(ctx context.Context, progress func()) error {
		err := w.connectTarget(ctx)
		if err == nil {
			err = w.part(ctx, p, progress)
		}
		if err == nil || ctx.Err() != nil || !errors.Is(err, errTarget) || !retry.Retryable(err) {
			final = err
			return nil //nolint:nilerr // it is returned below, and not tried again
		}
		if w.target != nil {
			cancelStatement(ctx, w.target)
			closeConn(ctx, w.target)
			w.target = nil
		}
		w.reading = nil
		if _, lost := w.source.Exec(ctx, rollbackToPart); lost != nil {
			final = errors.CombineErrors(err, lost)
			return nil
		}
		return err
	})
	if final != nil {
		return final
	}
	return err
}

func (w *worker) connectTarget(ctx context.Context) error {
	if w.target != nil {
		return nil
	}
	target, err := w.options.Target(ctx)
	if err != nil {
		return onTarget(err, "connect to the target")
	}
	w.target, w.pipe.target = target, target.PgConn()
	return nil
}

// part moves a table in one target transaction, or a chunk of it in one of several.
func (w *worker) part(ctx context.Context, p *part, progress func()) error {
	if w.reading != nil && w.reading != p.job {
		// Those who wait to alter or truncate the last table may go on.
		if _, err := w.source.Exec(ctx, rollbackToPart); err != nil {
			return errors.Wrap(err, "release the source's tables")
		}
	}
	w.reading = p.job
	p.start(w.options)
	if p.number == 0 {
		return w.whole(ctx, p, progress)
	}
	if err := w.claim(ctx, p.job); err != nil || p.copied {
		return err
	}
	if !p.present {
		if err := w.oneChunk(ctx, p, progress); err != nil {
			return err
		}
	}
	if !p.last {
		return nil
	}
	failpoint.Hit("copy: before a table's last entry")
	result := p.result()
	if _, err := w.transaction(ctx, func() error {
		return onTarget(w.ledger.Done(ctx, w.target, p.table, result), "complete the ledger entry")
	}); err != nil {
		return err
	}
	p.finish(ctx, w.options)
	return nil
}

// transaction runs f in a target transaction. When f says that what it would do has
// been done, nothing is changed.
func (w *worker) transaction(ctx context.Context, f func() error) (copied bool, err error) {
	if _, err := w.target.Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED"); err != nil {
		return false, onTarget(err, "begin the target transaction")
	}
	switch err := f(); {
	case errors.Is(err, ErrCopied):
		_, err := w.target.Exec(ctx, "ROLLBACK")
		return true, onTarget(err, "leave the table as it is")
	case err != nil:
		return false, err
	}
	failpoint.Hit("copy: before COMMIT")
	_, err = w.target.Exec(ctx, "COMMIT")
	failpoint.Hit("copy: committed")
	return false, onTarget(err, "commit the target transaction")
}

// whole copies a table in one transaction with its ledger entry.
func (w *worker) whole(ctx context.Context, p *part, progress func()) error {
	var result Result
	failpoint.Hit("copy: before a table")
	copied, err := w.transaction(ctx, func() error {
		leftover, err := w.ledger.BeginChunks(ctx, w.target, p.table, 0)
		if err != nil {
			return onTarget(err, "begin the ledger entry")
		}
		frozen, err := w.empty(ctx, p.table, leftover, p.table.Bytes >= leastFrozenBytes)
		if err != nil {
			return err
		}
		if result, err = w.move(ctx, p, frozen, progress); stateOf(err) == undefinedTable && !errors.Is(err, errTarget) {
			return errors.Mark(err, ErrMoved)
		}
		if err != nil {
			return err
		}
		if err := w.unmoved(ctx, p.table); err != nil {
			return err
		}
		w.uncertain = result
		failpoint.Hit("copy: before the ledger")
		return onTarget(w.ledger.Done(ctx, w.target, p.table, result), "complete the ledger entry")
	})
	if err != nil {
		p.bytes.Add(-result.Bytes)
		return err
	}
	p.commit(w, result, copied)
	p.finish(ctx, w.options)
	return nil
}

// claim begins a table that is copied in chunks, unless that has been done.
func (w *worker) claim(ctx context.Context, j *job) error {
	j.claiming.Lock()
	defer j.claiming.Unlock()
	if j.claimed {
		return nil
	}
	failpoint.Hit("copy: before a table is claimed")
	copied, err := w.transaction(ctx, func() error {
		leftover, err := w.ledger.BeginChunks(ctx, w.target, j.table, len(j.chunks))
		if err != nil {
			return onTarget(err, "begin the ledger entry")
		}
		_, err = w.empty(ctx, j.table, leftover, false)
		return err
	})
	if err != nil {
		return err
	}
	j.claimed, j.copied = true, copied
	if copied {
		j.finish(ctx, w.options)
	}
	return nil
}

// oneChunk copies a chunk in one transaction with its ledger entry.
func (w *worker) oneChunk(ctx context.Context, p *part, progress func()) error {
	if err := w.lock(ctx, p.chunk()); err != nil {
		return err
	}
	var result Result
	copied, err := w.transaction(ctx, func() error {
		err := w.ledger.BeginChunk(ctx, w.target, p.table, p.number)
		if err != nil {
			return onTarget(err, "begin the chunk's ledger entry")
		}
		if result, err = w.move(ctx, p, false, progress); err != nil {
			return err
		}
		w.uncertain = result
		failpoint.Hit("copy: before a chunk's ledger")
		return onTarget(w.ledger.ChunkDone(ctx, w.target, p.table, p.number, result), "complete the chunk's ledger entry")
	})
	if err != nil {
		p.bytes.Add(-result.Bytes)
		return err
	}
	p.commit(w, result, copied)
	p.report(w.options, Copying)
	return nil
}

// lock makes sure that the rows of a chunk are where they were when the chunks were
// made, and stay there. Whoever waits to change the table would wait for us, and we,
// behind them, for each other: so nothing is waited for.
func (w *worker) lock(ctx context.Context, c *chunk) error {
	results, err := w.source.PgConn().Exec(ctx, "LOCK TABLE ONLY "+c.relation+" IN ACCESS SHARE MODE NOWAIT; "+
		"SELECT pg_catalog.pg_relation_filenode('"+strings.ReplaceAll(c.relation, "'", "''")+"'::pg_catalog.regclass)").ReadAll()
	switch state := stateOf(err); {
	case state == lockNotAvailable, state == undefinedTable:
		return errors.Mark(errors.Wrap(err, "lock the source's table"), ErrMoved)
	case err != nil:
		return errors.Wrap(err, "lock the source's table")
	}
	if file := string(results[len(results)-1].Rows[0][0]); file != strconv.FormatUint(uint64(c.file), 10) {
		return errors.Mark(errors.Newf("%s was rewritten on the source", c.relation), ErrMoved)
	}
	return nil
}

//go:embed moved.sql
var movedSQL string

// unmoved fails when a table was rewritten between the snapshot and the COPY that has
// read it, and holds its lock: TRUNCATE and the forms of ALTER TABLE that rewrite leave
// nothing that older snapshots see.
func (w *worker) unmoved(ctx context.Context, t *Table) error {
	var moved bool
	if err := w.source.QueryRow(ctx, movedSQL, t.quoted()).Scan(&moved); err != nil {
		return errors.Wrap(err, "look whether the source's table was rewritten")
	}
	if moved {
		return errors.Mark(errors.New("the table was rewritten on the source"), ErrMoved)
	}
	return nil
}

// leave takes back what was begun of a table that has moved, so that the others can be copied.
func (w *worker) leave(ctx context.Context) error {
	closeConn(ctx, w.target)
	w.target, w.reading = nil, nil
	_, err := w.source.Exec(ctx, rollbackToPart)
	return errors.Wrap(err, "release the source's table")
}

// move lets the bytes through.
func (w *worker) move(ctx context.Context, p *part, frozen bool, progress func()) (result Result, err error) {
	began := time.Now()
	listed := *p.table
	if listed.Columns, err = w.columns(ctx, p.job); err != nil {
		return result, err
	}
	read, written, err := w.pipe.run(ctx, listed.copyTo(p.chunk()), listed.copyFrom(frozen), func(n int64) {
		failpoint.Hit("copy: in the rows")
		result.Bytes += n
		p.bytes.Add(n)
		p.report(w.options, Copying)
		progress()
	})
	result.Rows, result.Elapsed = written, time.Since(began)
	if err == nil && read != written {
		err = errors.Newf("the source sent %d rows, the target took %d", read, written)
		err = errors.WithHint(err, "A trigger or rule on the target table swallows rows: disable it for the copy.")
	}
	return result, err
}

// columns returns the columns to copy, by name: the order on the target may differ.
func (w *worker) columns(ctx context.Context, j *job) ([]string, error) {
	if len(j.table.Columns) > 0 {
		return j.table.Columns, nil
	}
	const query = `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass
		AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`
	rows, err := w.source.Query(ctx, query, j.table.quoted())
	if err != nil {
		return nil, errors.Wrap(err, "list the columns of the source table")
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return columns, errors.Wrap(err, "list the columns of the source table")
}

// close ends both sessions. After a failure a statement may still be running on
// either side, which would go on until it next talks to us.
func (w *worker) close(ctx context.Context) {
	for _, c := range []*pgx.Conn{w.source, w.target} {
		if c == nil {
			continue
		}
		if w.failed {
			cancelStatement(ctx, c)
		}
		closeConn(ctx, c)
	}
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
