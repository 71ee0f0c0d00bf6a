package engine

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// snapshots are an exported snapshot of each side.
type snapshots struct {
	source, target string
	lsn            pglogrepl.LSN
	aligned        bool
	release        func(ctx context.Context) error
}

// close gives the exporters back, once.
func (s *snapshots) close(ctx context.Context) error {
	if s.release == nil {
		return nil
	}
	release := s.release
	s.release = nil
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	return release(ctx)
}

// snapshots takes a pair of snapshots: of one moment of the source while changes are
// applied, else of both sides as they stand.
func (v *verifier) snapshots(ctx context.Context) (*snapshots, error) {
	if v.m == nil || v.m.Slot == "" || v.m.Phase == target.Done || v.m.Phase == target.CuttingOver {
		return v.asTheyStand(ctx)
	}
	if v.m.Phase != target.CatchingUp && v.m.Phase != target.Streaming {
		err := errors.Newf("migration %q is in phase %s: the target does not hold the rows of any moment yet", v.m.Name, v.m.Phase)
		return nil, errors.WithHintf(err, "run walferry %s until walferry status says streaming", v.m.Command)
	}
	// Far behind, the slot would hold back the source's vacuum for as long as the target takes.
	behind, err := v.sourceLSN(ctx, "pg_current_wal_insert_lsn")
	if err != nil {
		return nil, err
	}
	if err := cutover.Emit(ctx, v.src); err != nil {
		return nil, err
	}
	var failures error
	for range mostTries {
		running, err := v.running(ctx)
		if err != nil {
			return nil, err
		}
		var pair *snapshots
		if running {
			pair, err = v.ofRunning(ctx, behind)
		} else {
			pair, err = v.ofStopped(ctx, behind)
		}
		// A run that came back meanwhile has the lock.
		passes := !running && ctx.Err() == nil && retry.Retryable(err)
		if !errors.IsAny(err, errMissed, target.ErrLocked) && !passes {
			return pair, err
		}
		failures = err
		v.o.Logger.InfoContext(ctx, "the run and verify did not meet; trying again", "reason", err.Error())
	}
	return nil, errors.WithHint(failures, "see whether the run of walferry is well: walferry status")
}

// running reports whether a run is at work. Between two attempts a run has let go of its
// lock for a moment, so it counts as stopped only when nobody takes that for a while.
func (v *verifier) running(ctx context.Context) (bool, error) {
	for begun := time.Now(); ; {
		holder, err := target.Locked(ctx, v.dst, v.m.Name)
		if err != nil || holder != nil {
			return holder != nil, err
		}
		if time.Since(begun) > stoppedFor {
			return false, nil
		}
		if !pause(ctx) {
			return false, context.Cause(ctx)
		}
	}
}

const (
	// stoppedFor is how long nobody must have the lock for a run to count as stopped.
	stoppedFor = 3 * time.Second
	// mostTries is how often a running migration is asked for a snapshot.
	mostTries = 5
	// heldWithin is how long it may take to answer: it looks twice in a second, but does
	// other things.
	heldWithin = 30 * time.Second
	// reachedWithin is how long the target may take to the point, near which it was.
	reachedWithin = 5 * time.Minute
	// gateEvery is how often the gate follows the source.
	gateEvery = 100 * time.Millisecond
)

// errMissed marks that the run and verify did not meet, and may next time.
var errMissed = errors.New("no snapshot of the target")

// asTheyStand takes snapshots of both sides without a common moment.
func (v *verifier) asTheyStand(ctx context.Context) (s *snapshots, err error) {
	v.o.Logger.InfoContext(ctx, "nothing is being applied: both sides are compared as they stand")
	s = &snapshots{}
	var exporters []*pgx.Conn
	s.release = func(ctx context.Context) error {
		for _, conn := range exporters {
			closeConn(ctx, conn)
		}
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.CombineErrors(err, s.close(ctx))
		}
	}()
	for _, side := range []struct {
		info *conninfo.Info
		name *string
	}{{v.o.Source, &s.source}, {v.o.Target, &s.target}} {
		conn, err := side.info.Connect(ctx, conninfo.WithPurpose("verify"))
		if err != nil {
			return nil, err
		}
		exporters = append(exporters, conn)
		if *side.name, err = exportSnapshot(ctx, conn); err != nil {
			return nil, errors.Wrapf(err, "on the %s", side.info.Side())
		}
	}
	s.lsn, err = v.sourceLSN(ctx, "pg_current_wal_insert_lsn")
	return s, err
}

// ofStopped applies what is left up to the moment of the source's snapshot itself, as the
// run that stopped would have done.
func (v *verifier) ofStopped(ctx context.Context, behind pglogrepl.LSN) (s *snapshots, err error) {
	v.o.Logger.InfoContext(ctx, "no run is at work: what is left up to the source's snapshot is applied first")
	e := &engine{o: MigrateOptions{Connection: v.o.Connection}, command: v.m.Command, progressed: func() {}}
	e.o.RetryFor, e.o.SpillDir = v.o.RetryFor, v.o.SpillDir
	e.o.setDefaults()
	defer e.close(ctx)
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	if err := e.takeOver(ctx); err != nil {
		return nil, err
	}
	c, err := target.LoadCheckpoint(ctx, e.dst, e.m.Name)
	if err != nil {
		return nil, err
	}
	if c != nil {
		e.o.ApplyJobs = len(c.Lanes)
	}
	phase := e.m.Phase
	e.o.EndLSN = behind
	if err := e.stream(ctx); err != nil {
		return nil, v.streamError(err)
	}
	e.o.EndLSN = 0
	exported, err := e.newSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	exporter, err := e.newExporter(ctx)
	s = &snapshots{source: exported.name, lsn: exported.point, aligned: true, release: func(ctx context.Context) error {
		exported.close(ctx)
		exporter.close(ctx)
		return nil
	}}
	if err == nil {
		s.target, err = e.streamTo(ctx, exported.point, exporter)
	}
	if err == nil {
		err = v.checkAligned(ctx, s)
	}
	if err == nil && e.m.Phase != phase {
		err = e.setPhase(ctx, phase)
	}
	if err != nil {
		return nil, errors.CombineErrors(v.streamError(err), s.close(ctx))
	}
	return s, nil
}

// streamTo applies everything that commits before the point, and exports the target's snapshot.
func (e *engine) streamTo(ctx context.Context, point pglogrepl.LSN, x *exporter) (string, error) {
	if err := cutover.Emit(ctx, e.src); err != nil {
		return "", err
	}
	e.barrier = newBarrier()
	e.barrier.ends = true
	e.barrier.set(point, point, func() (string, error) { return x.export(ctx) })
	defer func() { e.barrier = nil }()
	if err := e.stream(ctx); err != nil {
		return "", err
	}
	done, snapshot, err := e.barrier.result()
	if err == nil && !done {
		err = errors.Newf("the stream ended before %s", point)
	}
	return snapshot, err
}

// streamError says what to do where the run itself has to go on first.
func (v *verifier) streamError(err error) error {
	if errors.Is(err, errAgain) {
		return errors.WithHintf(err, "run walferry %s to take it over, then verify again", v.m.Command)
	}
	return err
}

// ofRunning agrees with the run that applies changes on a moment.
//
// The run first keeps to a gate, so that it cannot be past the moment when it hears of it.
// The slot's creation tells the moment only when it ends, and it waits for transactions:
// while it does, the moment is later than now, and the gate may follow.
func (v *verifier) ofRunning(ctx context.Context, behind pglogrepl.LSN) (_ *snapshots, err error) {
	if err := v.awaitApplied(ctx, behind); err != nil {
		return nil, err
	}
	now, err := v.sourceLSN(ctx, "pg_current_wal_insert_lsn")
	if err != nil {
		return nil, err
	}
	if err := target.AskBarrier(ctx, v.dst, v.m.Name, rand.Text(), now); err != nil {
		return nil, err
	}
	var exported *exported
	pair := &snapshots{aligned: true, release: func(ctx context.Context) error {
		exported.close(ctx)
		if v.dst.IsClosed() {
			return nil // the run sees that verify is silent
		}
		return target.DropBarrier(ctx, v.dst, v.m.Name)
	}}
	defer func() {
		if err != nil {
			err = errors.CombineErrors(err, pair.close(ctx))
		}
	}()
	if _, err := v.awaitBarrier(ctx, target.BarrierHeld, heldWithin); err != nil {
		return nil, err
	}
	if exported, err = v.snapshotBehindGate(ctx); err != nil {
		return nil, err
	}
	pair.source, pair.lsn = exported.name, exported.point
	if err := target.SetBarrier(ctx, v.dst, v.m.Name, pair.lsn); err != nil {
		return nil, err
	}
	if err := cutover.Emit(ctx, v.src); err != nil {
		return nil, err
	}
	b, err := v.awaitBarrier(ctx, target.BarrierReached, reachedWithin)
	if err != nil {
		return nil, err
	}
	pair.target = b.Snapshot
	return pair, v.checkAligned(ctx, pair)
}

// awaitApplied waits until the target holds what the source had when verify began.
func (v *verifier) awaitApplied(ctx context.Context, lsn pglogrepl.LSN) error {
	for {
		c, err := target.LoadCheckpoint(ctx, v.dst, v.m.Name)
		if err != nil {
			return err
		}
		if c != nil && c.LSN >= lsn {
			return nil
		}
		holder, err := target.Locked(ctx, v.dst, v.m.Name)
		if err != nil {
			return err
		}
		if holder == nil {
			return errors.Mark(errors.New("the run of walferry has ended"), errMissed)
		}
		if c != nil {
			v.report(func(p *status.Progress) { p.Phase, p.LagBytes = "catching_up", int64(lsn-c.LSN) })
		}
		if !pause(ctx) {
			return context.Cause(ctx)
		}
	}
}

// awaitBarrier waits for the run's answer, while it is at work.
func (v *verifier) awaitBarrier(ctx context.Context, want target.BarrierState, within time.Duration) (*target.Barrier, error) {
	begun := time.Now()
	for looks := 0; ; looks++ {
		if looks%50 == 0 {
			if err := target.BeatBarrier(ctx, v.dst, v.m.Name, 0); err != nil {
				return nil, err
			}
		}
		b, err := target.ReadBarrier(ctx, v.dst, v.m.Name)
		switch {
		case err != nil:
			return nil, err
		case b == nil:
			return nil, errors.Mark(errors.New("the barrier on the target is gone"), errMissed)
		case b.State == target.BarrierFailed:
			return nil, errors.Mark(errors.Newf("the run of walferry refused: %s", b.Message), errMissed)
		case b.State == want:
			return b, nil
		}
		if looks%20 == 19 {
			holder, err := target.Locked(ctx, v.dst, v.m.Name)
			if err != nil {
				return nil, err
			}
			if holder == nil {
				return nil, errors.Mark(errors.New("the run of walferry has ended"), errMissed)
			}
		}
		if time.Since(begun) > within {
			return nil, errors.Mark(errors.New("the run of walferry did not answer"), errMissed)
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// snapshotBehindGate makes the temporary slot while the gate follows the source.
func (v *verifier) snapshotBehindGate(ctx context.Context) (*exported, error) {
	conn, err := source.Connect(ctx, v.o.Source, v.o.Logger)
	if err != nil {
		return nil, err
	}
	pid := conn.PID()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type made struct {
		s   *exported
		err error
	}
	done := make(chan made, 1)
	go func() {
		s, err := v.snapshotOn(ctx, conn)
		done <- made{s, err}
	}()
	for {
		select {
		case m := <-done:
			return m.s, m.err
		case <-time.After(gateEvery):
		}
		if err := v.moveGate(ctx, pid); err != nil {
			cancel(err)
			m := <-done
			m.s.close(ctx)
			return nil, errors.CombineErrors(err, m.err)
		}
	}
}

// moveGate lets the run apply what the source has committed until now, when the slot's
// creation waits for a transaction: its moment is later than that one's end. The position
// is read before it is seen to wait.
func (v *verifier) moveGate(ctx context.Context, pid uint32) error {
	b, err := target.ReadBarrier(ctx, v.dst, v.m.Name)
	if err != nil {
		return err
	}
	if b == nil || b.State == target.BarrierFailed {
		return errors.Mark(errors.New("the run of walferry has given up the barrier"), errMissed)
	}
	now, err := v.sourceLSN(ctx, "pg_current_wal_insert_lsn")
	if err != nil {
		return err
	}
	var waits bool
	err = v.src.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE pid = $1 AND locktype = 'transactionid' AND NOT granted)`, pid).Scan(&waits)
	if err != nil {
		return errors.Wrap(err, "see what the slot waits for")
	}
	if !waits {
		now = 0
	}
	return target.BeatBarrier(ctx, v.dst, v.m.Name, now)
}

// checkAligned asks the target's snapshot itself where it stands: the checkpoints are
// written with the rows.
func (v *verifier) checkAligned(ctx context.Context, s *snapshots) error {
	conn, err := importSnapshot(ctx, v.o.Target, s.target)
	if err != nil {
		return errors.Mark(err, errMissed)
	}
	defer closeConn(ctx, conn)
	c, err := target.LoadCheckpoint(ctx, conn, v.m.Name)
	if err != nil {
		return err
	}
	if c == nil || slices.Min(c.Lanes) != s.lsn || slices.Max(c.Lanes) != s.lsn {
		return errors.Mark(errors.Newf("the snapshot of the target is not at %s", s.lsn), errMissed)
	}
	return nil
}
