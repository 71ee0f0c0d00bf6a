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
	"github.com/walferry/walferry/internal/cutover"
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
	// samplesEvery is after how many looks the positions are kept, for forecasts.
	samplesEvery = 10
	// catalogEvery is how often the publications are compared with the ledger, and sequences
	// pushed ahead, when each takes no more than one part in catalogShare of the time: with many
	// tables they take long.
	catalogEvery = 10 * time.Second
	catalogShare = 20
	// sequenceMargin is how many numbers they are pushed ahead.
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
	applied   <-chan struct{} // closed when the applier has ended
	start     decoder.LSN     // what the target held when the stream began
	aligning  bool            // the stream ends where the lanes meet, whatever the options say

	caughtUpTo decoder.LSN // the source's position when the stream began
	seen       decoder.LSN // the source's position at the last look
	last       decoder.LSN
	looks      int
	ending     bool
	compareAt  time.Time          // when the publications are, the next time
	pushAt     time.Time          // when the sequences are, the next time
	handedOver string             // to whom; empty while nobody asked
	rowByRow   []applier.RowByRow // as recorded
	meeting    meeting            // with verify
}

// run watches until the applier has ended.
func (w *watch) run(ctx context.Context) error {
	flush, lag := time.NewTicker(flushEvery), time.NewTicker(lagEvery)
	defer flush.Stop()
	defer lag.Stop()
	defer func() { w.meeting.exporter.close(ctx) }()
	stop := w.o.Stop
	for {
		select {
		case <-w.applied:
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
			if err := w.meet(ctx); err != nil {
				return err
			}
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
	if w.looks%samplesEvery == 0 {
		if err := target.AddSample(ctx, w.dst, w.m.Name, now, applied); err != nil {
			return err
		}
	}
	w.looks++
	if began := time.Now(); !w.ending && began.After(w.compareAt) {
		if err := w.publishedSince(ctx); err != nil {
			return err
		}
		w.compareAt = nextLook(began)
	}
	if err := w.recordRowByRow(ctx, stats.RowByRow); err != nil {
		return err
	}
	if w.handedOver == "" && w.cut == nil {
		if w.handedOver, err = target.HandoverAsked(ctx, w.dst, w.m.Name); err != nil {
			return err
		}
		if w.handedOver != "" {
			w.o.Logger.InfoContext(ctx, "draining, to hand the migration over", "to", w.handedOver)
			w.drain()
		}
	}
	if w.m.Phase == target.CatchingUp && applied >= w.caughtUpTo {
		if err := w.setPhase(ctx, target.Streaming); err != nil {
			return err
		}
	}
	if err := w.pushSequences(ctx); err != nil {
		return err
	}
	if w.handedOver != "" || w.ending || w.aligning || w.o.MaxReplicationLag == nil || w.m.Phase != target.Streaming || lag > *w.o.MaxReplicationLag {
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
	return w.finish(ctx)
}

// publishedSince fails when a publication is gone, and ends the attempt when a
// table was published since it began, so that the next one copies it. The stream
// itself may never name it: until 14 a walsender does not notice that a partition
// was attached, and leaves its changes out.
func (w *watch) publishedSince(ctx context.Context) error {
	if err := w.requirePublications(ctx); err != nil || w.command != target.Migrate {
		return err
	}
	if err := w.warnNewTables(ctx); err != nil {
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
	began := time.Now()
	if w.command != target.Migrate || w.m.Phase != target.Streaming || began.Before(w.pushAt) {
		return nil
	}
	err := w.syncSequences(ctx, sequenceMargin)
	w.pushAt = nextLook(began)
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

// nextLook is when what began then, and has ended, is to be done the next time.
func nextLook(began time.Time) time.Time {
	return time.Now().Add(max(catalogEvery, catalogShare*time.Since(began)))
}

// finish closes the source and lets the stream end there, in the first steps of the
// cutover. A first signal still stops what no fence was asked for.
func (w *watch) finish(ctx context.Context) error {
	if !w.beginClosing() {
		w.drain()
		return nil
	}
	if err := w.setPhase(ctx, target.CuttingOver); err != nil {
		return err
	}
	if err := target.ForgetSteps(ctx, w.dst, w.m.Name); err != nil {
		return err
	}
	w.drainTo = w.endAt
	return w.bounded(ctx, func(ctx context.Context) error {
		return w.runner.Run(ctx, cutover.StepFence, cutover.StepFinalLSN, cutover.StepDrain)
	})
}

// endAt lets the stream end at an LSN, and waits until all before it is applied. A message in
// the WAL behind it makes the walsender pass it even when nothing else does.
func (w *watch) endAt(ctx context.Context, end pglogrepl.LSN) error {
	w.endMeeting(ctx) // nothing is to hold the stream on its way
	w.in.end.Store(uint64(end))
	if err := cutover.Emit(ctx, w.src); err != nil {
		return err
	}
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	stop := w.o.Stop
	for {
		select {
		case <-w.applied:
			w.positions.SetFlushed(w.app.Durable())
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-stop:
			stop = nil
			w.drain()
		case <-flush.C:
			w.positions.SetFlushed(w.app.Durable())
		}
	}
}
