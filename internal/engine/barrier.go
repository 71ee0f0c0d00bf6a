package engine

import (
	"context"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/target"
)

// barrier stops a stream at a point for the moment in which the target's snapshot is
// exported: everything that commits before the point is on the target then, in all
// lanes, and nothing else. The receiver waits, so whatever applies is not concerned.
type barrier struct {
	mu sync.Mutex
	// changed is closed and replaced when gate or at change.
	changed chan struct{}
	// gate, unless zero, is where the receiver waits; at, once known, is the point.
	gate, at decoder.LSN
	// export is called at the point.
	export func() (string, error)
	// done reports that the point was reached, with the snapshot or why there is none.
	done     bool
	snapshot string
	err      error
	// ends reports that the stream ends at the point.
	ends bool
}

func newBarrier() *barrier { return &barrier{changed: make(chan struct{})} }

// set moves the gate, or opens it when gate is zero; at is zero until it is known.
func (b *barrier) set(gate, at decoder.LSN, export func() (string, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if gate == b.gate && at == b.at {
		return
	}
	b.gate, b.at, b.export = gate, at, export
	b.done, b.snapshot, b.err = false, "", nil
	close(b.changed)
	b.changed = make(chan struct{})
}

// result is what came of the point, once the stream has passed it.
func (b *barrier) result() (done bool, snapshot string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done, b.snapshot, b.err
}

// errPassed is why a point is not reached: something behind it is on the target already.
var errPassed = errors.New("the stream was past the point when it heard of it")

// pass waits until the stream may go on to lsn, and stands at the barrier's point on
// the way there.
func (in *input) pass(lsn decoder.LSN) error {
	b := in.barrier
	for {
		b.mu.Lock()
		gate, at, changed, export, done := b.gate, b.at, b.changed, b.export, b.done
		b.mu.Unlock()
		switch {
		case gate == 0 || lsn < gate || done:
			return nil
		case at != 0:
			snapshot, err := in.stand(at, export)
			if errors.Is(err, errDrain) {
				return err
			}
			b.mu.Lock()
			if b.at == at {
				b.done, b.snapshot, b.err = true, snapshot, err
			}
			b.mu.Unlock()
			if b.ends {
				return errEnd
			}
			continue
		}
		select {
		case <-changed:
		case <-in.ended:
			return errDrain
		}
	}
}

// stand lets all lanes come to the point and exports the target's snapshot.
func (in *input) stand(at decoder.LSN, export func() (string, error)) (string, error) {
	if in.furthest > at {
		return "", errPassed
	}
	// The checkpoint of each lane, in the rows' own transaction, then says that it is there.
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := in.Idle(at, true); err != nil {
			return "", err
		}
		if in.Applied() >= at {
			return export()
		}
		select {
		case <-tick.C:
		case <-in.ended:
			return "", errDrain
		}
	}
}

// exporter is a connection to the target that exports its snapshot.
type exporter struct {
	mu   sync.Mutex // the receiver exports, the watch closes
	conn *pgx.Conn
}

func (e *engine) newExporter(ctx context.Context) (*exporter, error) {
	conn, err := e.o.Target.Connect(ctx, conninfo.WithPurpose("verify"))
	return &exporter{conn: conn}, err
}

// exportTimeout bounds how long the stream stands for a snapshot.
const exportTimeout = 10 * time.Second

// export takes a snapshot. It lives until close.
func (x *exporter) export(ctx context.Context) (name string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.conn == nil {
		return "", errors.New("verify has given up")
	}
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	return exportSnapshot(ctx, x.conn)
}

func (x *exporter) close(ctx context.Context) {
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.conn != nil {
		ctx, cancel := cleanupContext(ctx)
		defer cancel()
		closeConn(ctx, x.conn)
		x.conn = nil
	}
}

// meeting is the run's part of a barrier that verify asks for.
type meeting struct {
	id       string
	exporter *exporter
	answered bool
	looks    int
}

// calmLooks is how many looks one goes to the target while nobody asks for a barrier.
const calmLooks = 10

// meet looks whether verify wants a barrier, and answers. Verify must show that it
// lives: what it asked for is dropped when it does not.
func (w *watch) meet(ctx context.Context) error {
	m := &w.meeting
	if m.looks++; w.aligning || w.barrier != nil || m.id == "" && m.looks%calmLooks != 0 {
		return nil
	}
	r, err := target.ReadBarrier(ctx, w.dst, w.m.Name)
	if err != nil {
		return err
	}
	if r == nil || r.State == target.BarrierFailed || m.id != "" && r.ID != m.id {
		w.endMeeting(ctx)
		return nil
	}
	if m.id == "" {
		if r.State == target.BarrierReached {
			return nil // by a run that is gone, with its snapshot
		}
		if m.exporter, err = w.newExporter(ctx); err != nil {
			return err
		}
		m.id = r.ID
		w.o.Logger.InfoContext(ctx, "verify asks for a snapshot of the target at one point of the source")
	}
	if m.answered {
		return nil
	}
	exporter := m.exporter
	export := func() (string, error) { return exporter.export(ctx) }
	w.in.barrier.set(r.Gate, r.LSN, export)
	done, snapshot, failure := w.in.barrier.result()
	switch {
	case done && failure == nil:
		m.answered = true
		r.State, r.Snapshot = target.BarrierReached, snapshot
		w.o.Logger.InfoContext(ctx, "verify has a snapshot of the target", "lsn", r.LSN.String())
	case done, r.Stuck:
		if failure == nil {
			failure = errors.New("the source's slot was not made in time")
		}
		r.State, r.Message = target.BarrierFailed, failure.Error()
	case r.State == target.BarrierAsked:
		r.State = target.BarrierHeld
	default:
		return nil
	}
	if err := target.AnswerBarrier(ctx, w.dst, w.m.Name, w.m.Epoch, r); err != nil {
		return err
	}
	if r.State == target.BarrierFailed {
		w.endMeeting(ctx)
	}
	return nil
}

// endMeeting lets the stream go on and gives the snapshot back.
func (w *watch) endMeeting(ctx context.Context) {
	w.in.barrier.set(0, 0, nil)
	w.meeting.exporter.close(ctx)
	w.meeting = meeting{}
}

// exportSnapshot begins a transaction and exports its snapshot.
func exportSnapshot(ctx context.Context, conn *pgx.Conn) (name string, err error) {
	results, err := conn.PgConn().Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_catalog.pg_export_snapshot()").ReadAll()
	if err == nil && (len(results) != 2 || len(results[1].Rows) != 1) {
		err = errors.New("the server answered with no snapshot")
	}
	if err != nil {
		return "", errors.Wrap(err, "export a snapshot")
	}
	return string(results[1].Rows[0][0]), nil
}

// newInput returns what hands the stream to app.
func newInput(app *applier.Applier, lanes []decoder.LSN, b *barrier, ended <-chan struct{}) *input {
	in := &input{Applier: app, barrier: b, ended: ended}
	if b == nil {
		in.barrier = newBarrier()
	}
	for _, lsn := range lanes {
		in.furthest = max(in.furthest, lsn)
	}
	return in
}
