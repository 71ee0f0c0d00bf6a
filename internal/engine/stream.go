package engine

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/target"
)

var (
	// errEnd ends the stream where it was asked to end; everything before is applied.
	errEnd = errors.New("the stream has reached its end")
	// errDrain ends receiving; what was received in whole is applied.
	errDrain = errors.New("asked to drain")
)

// stream applies changes from the checkpoint on, until it is stopped, reaches
// its end, or lag is as small as the options ask. Where other lanes are asked for
// than there are, those that there are come to one position first.
func (e *engine) stream(ctx context.Context) error {
	for {
		if again, err := e.streamPart(ctx); err != nil || !again {
			return err
		}
	}
}

// streamPart streams until the lanes have met or a table has left its lanes, which it
// reports, or to the end.
func (e *engine) streamPart(ctx context.Context) (again bool, err error) {
	conn, err := source.Connect(ctx, e.o.Source, e.o.Logger)
	if err != nil {
		return false, err
	}
	defer conn.Close(ctx)
	start, err := e.resumePoint(ctx, conn)
	if err != nil {
		return false, err
	}
	if e.o.EndLSN != 0 && start >= e.o.EndLSN {
		return false, nil
	}
	lanes, meet, err := e.align(ctx)
	if err != nil {
		return false, err
	}
	if err := e.prepareTarget(ctx); err != nil {
		return false, err
	}
	err = e.streamLanes(ctx, conn, lanes, meet)
	var unsplit *applier.UnsplitError
	if !errors.As(err, &unsplit) || meet != 0 {
		return err == nil && meet != 0, err
	}
	e.o.Logger.InfoContext(ctx, "a table goes to one lane", "table", unsplit.Namespace+"."+unsplit.Name, "reason", unsplit.Reason)
	// Another lane may have been about to commit: its checkpoint is to be read after that.
	if err := target.NextEpoch(ctx, e.dst, e.m); err != nil {
		return false, err
	}
	if err := target.KeepInOneLane(ctx, e.dst, e.m.Name, unsplit.Namespace, unsplit.Name, unsplit.Reason); err != nil {
		return false, err
	}
	failpoint.Hit("lanes: a table goes to one lane")
	return true, nil
}

// streamLanes applies changes in lanes that stand at the given positions, up to meet
// unless that is zero. One goroutine receives and decodes, one for each lane applies,
// one watches; the source's feedback is another.
func (e *engine) streamLanes(ctx context.Context, conn *source.Conn, lanes []decoder.LSN, meet decoder.LSN) error {
	start := slices.Min(lanes)
	routes, err := e.newRoutes(ctx)
	if err != nil {
		return err
	}
	if err := e.setPhase(ctx, target.CatchingUp); err != nil {
		return err
	}
	plugin, err := e.pluginOptions(ctx, routes)
	if err != nil {
		return err
	}
	app := applier.New(applier.Options{
		Connect:      e.writeConnection("apply", conninfo.WithStatementCache()),
		Checkpoint:   target.Checkpointer{Migration: e.m.Name, Epoch: e.m.Epoch},
		Lanes:        len(lanes),
		LaneStarts:   lanes,
		Table:        routes.route,
		OnMissingRow: e.o.OnMissingRow,
		Logger:       e.o.Logger,
	})
	g, ctx := errgroup.WithContext(ctx)
	receiving, endReceiving := context.WithCancelCause(ctx)
	defer endReceiving(nil)
	in := newInput(app, lanes, e.barrier, receiving.Done())
	in.end.Store(uint64(e.o.EndLSN))
	if in.meets = meet != 0; in.meets {
		in.end.Store(uint64(meet))
	}
	positions := &source.Positions{}
	positions.SetFlushed(start)

	applied := make(chan struct{})
	w := watch{
		engine: e, app: app, in: in, positions: positions, routes: routes, applied: applied,
		drain: func() { endReceiving(errDrain) }, start: start, aligning: meet != 0,
		compareAt: time.Now().Add(catalogEvery),
	}
	g.Go(func() error {
		defer close(applied)
		return app.Run(ctx)
	})
	g.Go(func() error {
		defer app.Close()
		return e.receive(receiving, conn, source.StreamOptions{
			Slot: e.m.Slot, Start: start, PluginOptions: plugin, Positions: positions, Paced: true, Logger: e.o.Logger,
		}, in)
	})
	g.Go(func() error {
		return w.run(ctx)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	switch {
	case e.stopped():
		return ErrStopped
	case w.handedOver != "":
		return errHandedOver
	}
	return nil
}

// pluginOptions says what the source is to send, and how.
func (e *engine) pluginOptions(ctx context.Context, r *routes) ([]string, error) {
	o := decoder.StreamOptions{Publications: e.m.Publications, Binary: e.o.Binary == On}
	if e.o.Streaming == On {
		o.Streaming = decoder.StreamingOn
	}
	if e.o.Binary == Auto && e.major >= 14 {
		reason, err := catalog.TextReason(ctx, e.src, e.dst, slices.Collect(maps.Keys(r.tables)))
		if err != nil {
			return nil, err
		}
		if o.Binary = reason == ""; reason != "" {
			e.o.Logger.InfoContext(ctx, "values travel as text", "reason", reason)
		}
	}
	return decoder.PluginOptions(e.major, o), nil
}

// receive hands the stream to the applier until ctx or the stream ends.
func (e *engine) receive(ctx context.Context, conn *source.Conn, o source.StreamOptions, in *input) error {
	assembler := decoder.NewAssembler(decoder.AssemblerOptions{
		SpillDir: e.o.SpillDir,
		RolledBack: func(subtransactions []uint32) ([]uint32, error) {
			return source.RolledBack(ctx, e.o.Source, subtransactions)
		},
	}, in)
	o.Describe = assembler.Describe
	err := conn.Stream(ctx, o, assembler.Push, in.idle)
	if errors.Is(err, errEnd) || errors.Is(context.Cause(ctx), errDrain) {
		err = nil
	}
	return errors.CombineErrors(err, assembler.Close())
}

// input is the applier's, cut at an end.
type input struct {
	*applier.Applier

	end atomic.Uint64 // an LSN; zero means no end
	// meets reports that lanes are to come to the end: what commits there, right behind
	// what one of them has, is not theirs yet.
	meets bool

	barrier *barrier
	// furthest is beyond what was handed over, or told to be the end of it.
	furthest decoder.LSN
	// ended is closed when nothing more is received.
	ended <-chan struct{}
}

var _ decoder.Handler = (*input)(nil)

// Begin implements [decoder.Handler].
func (in *input) Begin(tx *decoder.Transaction) error {
	if end := decoder.LSN(in.end.Load()); end != 0 && (tx.CommitLSN > end || in.meets && tx.CommitLSN == end) {
		// All that commits up to the end was handed over: every lane is to say so.
		if err := in.Idle(end, false); err != nil {
			return err
		}
		return errEnd
	}
	if err := in.pass(tx.CommitLSN); err != nil {
		return err
	}
	in.furthest = max(in.furthest, tx.CommitLSN+1)
	return in.Applier.Begin(tx)
}

// idle is told that the source has nothing more up to lsn.
func (in *input) idle(lsn decoder.LSN, urgent bool) error {
	if err := in.pass(lsn); err != nil {
		return err
	}
	in.furthest = max(in.furthest, lsn)
	if err := in.Idle(lsn, urgent); err != nil {
		return err
	}
	if end := decoder.LSN(in.end.Load()); end != 0 && lsn >= end {
		return errEnd
	}
	return nil
}
