package engine

import (
	"context"
	"slices"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

const (
	// flushEvery is how often what is durable is handed to the feedback.
	flushEvery = 50 * time.Millisecond
	// lagEvery is how often the source is asked for its position.
	lagEvery = 500 * time.Millisecond
	// sequencesEvery is how often sequences are pushed ahead, by sequenceMargin numbers.
	sequencesEvery = 10 * time.Second
	sequenceMargin = 1_000_000
)

// watch follows a stream: it hands what is durable to the feedback, judges lag,
// and ends the stream when the options say so. Lag counts what is applied, never
// what was only received.
type watch struct {
	*engine

	app       *applier.Applier
	in        *input
	positions *source.Positions
	routes    *routes
	drain     func()
	start     decoder.LSN // what the target held when the stream began
	aligning  bool        // the stream ends where the lanes meet, whatever the options say

	caughtUpTo decoder.LSN // the source's position when the stream began
	seen       decoder.LSN // the source's position at the last look
	last       decoder.LSN
	looks      int
	ending     bool
	pushed     time.Time          // the sequences
	rowByRow   []applier.RowByRow // as recorded
}

// run watches until the applier has ended.
func (w *watch) run(ctx context.Context, applied <-chan struct{}) error {
	flush, lag := time.NewTicker(flushEvery), time.NewTicker(lagEvery)
	defer flush.Stop()
	defer lag.Stop()
	stop := w.o.Stop
	for {
		select {
		case <-applied:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-stop:
			stop = nil
			w.o.Logger.InfoContext(ctx, "draining")
			w.drain()
		case <-flush.C:
			failpoint.Hit("feedback: before what is durable is reported")
			w.positions.SetFlushed(w.app.Durable())
		case <-lag.C:
			if err := w.look(ctx); err != nil {
				return err
			}
		}
	}
}

// look compares the source's position with what is applied.
func (w *watch) look(ctx context.Context) error {
	now, err := w.sourceLSN(ctx, "pg_current_wal_flush_lsn")
	if err != nil {
		return err
	}
	applied := max(w.start, w.app.Applied())
	if w.caughtUpTo == 0 {
		w.caughtUpTo, w.seen = now, now
	}
	if applied > w.last {
		w.last = applied
		w.progressed()
	}
	// Judged by where the source was at the last look: something else always
	// writes WAL, and what was committed since this run began is included.
	lag := max(0, int64(w.seen)-int64(applied))
	w.seen = now
	stats := w.app.Stats()
	w.report(func(v *status.Progress) {
		v.LagBytes, v.AppliedLSN = lag, applied.String()
		v.Transactions, v.Changes = stats.Transactions, stats.Inserts+stats.Updates+stats.Deletes+stats.Truncates
	})
	if w.looks++; w.looks%20 == 0 {
		if err := w.publishedSince(ctx); err != nil {
			return err
		}
	}
	if err := w.recordRowByRow(ctx, stats.RowByRow); err != nil {
		return err
	}
	if w.m.Phase == target.CatchingUp && applied >= w.caughtUpTo {
		if err := w.setPhase(ctx, target.Streaming); err != nil {
			return err
		}
	}
	if err := w.pushSequences(ctx); err != nil {
		return err
	}
	if w.ending || w.aligning || w.o.MaxReplicationLag == nil || w.m.Phase != target.Streaming || lag > *w.o.MaxReplicationLag {
		return nil
	}
	if err := w.publishedSince(ctx); err != nil {
		return err
	}
	w.ending = true
	if !w.o.StopReplication {
		w.drain()
		return nil
	}
	return w.endAtSource(ctx)
}

// publishedSince fails when a publication is gone, and ends the attempt when a
// table was published since it began, so that the next one copies it. The stream
// itself may never name it: until 14 a walsender does not notice that a partition
// was attached, and leaves its changes out.
func (w *watch) publishedSince(ctx context.Context) error {
	if err := w.requirePublications(ctx); err != nil || w.command != target.Migrate {
		return err
	}
	chosen, err := w.chosenTables(ctx)
	if err != nil {
		return err
	}
	for _, t := range chosen {
		if _, known := w.routes.tables[t.name]; !known {
			return errors.Mark(errors.Newf("table %s was published after the run began", t.name), errAgain)
		}
	}
	return nil
}

// pushSequences keeps the target's sequences ahead of the source's, so that an
// application that is switched over in an emergency repeats no number.
func (w *watch) pushSequences(ctx context.Context) error {
	if w.command != target.Migrate || w.m.Phase != target.Streaming || time.Since(w.pushed) < sequencesEvery {
		return nil
	}
	w.pushed = time.Now()
	err := w.syncSequences(ctx, sequenceMargin)
	if pgErr := new(pgconn.PgError); errors.As(err, &pgErr) {
		w.warn("the target's sequences are not kept ahead of the source's: " + pgErr.Message)
		return nil
	}
	return err
}

// recordRowByRow lets status name the tables that are not applied as sets.
func (w *watch) recordRowByRow(ctx context.Context, now []applier.RowByRow) error {
	if slices.Equal(now, w.rowByRow) {
		return nil
	}
	w.rowByRow = slices.Clone(now)
	tables := make([]target.Table, len(now))
	for i, t := range now {
		tables[i] = target.Table{Namespace: t.Namespace, Name: t.Name, RowByRow: t.Reason}
	}
	return target.SetRowByRow(ctx, w.dst, w.m.Name, tables)
}

// endAtSource lets the stream end at the source's present position. A message in
// the WAL behind it makes the walsender pass it even when nothing else does.
func (w *watch) endAtSource(ctx context.Context) error {
	end, err := w.sourceLSN(ctx, "pg_current_wal_insert_lsn")
	if err != nil {
		return err
	}
	w.o.Logger.InfoContext(ctx, "draining to the source's position", "lsn", end.String())
	w.in.end.Store(uint64(end))
	_, err = w.src.Exec(ctx, `SELECT pg_catalog.pg_logical_emit_message(true, 'walferry', 'drain')`)
	return errors.Wrap(err, "write a message into the source's WAL")
}

// sourceLSN asks the source for one of its WAL positions.
func (e *engine) sourceLSN(ctx context.Context, function string) (pglogrepl.LSN, error) {
	var text string
	if err := e.src.QueryRow(ctx, "SELECT pg_catalog."+function+"()::text").Scan(&text); err != nil {
		return 0, errors.Wrap(err, "read the source's WAL position")
	}
	lsn, err := pglogrepl.ParseLSN(text)
	return lsn, errors.Wrap(err, "read the source's WAL position")
}
