package engine

import (
	"context"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// lockWait is how long a run waits for the server to notice that a killed one is gone.
const lockWait = 15 * time.Second

// engine is one run of a command. Only attempts use its connections, one at a time.
type engine struct {
	o MigrateOptions

	src    *pgx.Conn // catalog reads and lag
	dst    *pgx.Conn // holds the migration's lock
	system source.System
	major  int // of the source
	m      *target.Migration

	command target.Command
	// cut is set in a cutover, runner in every attempt that may finish.
	cut    *cut
	runner *cutover.Runner
	// drainTo lets the stream that is under way end at an LSN, and waits for that.
	drainTo func(context.Context, pglogrepl.LSN) error
	// finalXID was the source's next transaction ID when the final LSN was taken.
	finalXID int64
	// wasFenced says that an earlier cutover had left the source closed.
	wasFenced bool
	// found says that this run has seen its migration, handedOver that it let go of it for
	// another instance.
	found, handedOver bool
	// progressed tells the retries that the attempt got on.
	progressed func()
	// barrier, unless nil, is where the stream ends; verify sets it.
	barrier *barrier
	// unknown are tables that the stream named and the ledger did not have.
	unknown      []catalog.Name
	warnings     []string
	warned       map[string]bool // of them
	sequencesSet int
	// absent says that the target's database does not exist yet and another one is
	// looked at in its place, made that this run has made it.
	absent, made bool
	passwords    map[string]string // random ones that roles were given

	progress struct {
		sync.Mutex

		value status.Progress
	}
}

// open connects to both sides and reads who the source is.
func (e *engine) open(ctx context.Context) (err error) {
	if err = e.openSource(ctx); err != nil {
		return err
	}
	return e.openTarget(ctx)
}

func (e *engine) openSource(ctx context.Context) (err error) {
	if e.src, err = e.o.Source.Connect(ctx, conninfo.WithPurpose("control")); err != nil {
		return err
	}
	e.major = conninfo.Major(e.src.PgConn())
	return e.identify(ctx)
}

// identify asks which cluster the source is, without a replication connection: a
// dump needs none.
func (e *engine) identify(ctx context.Context) error {
	const query = `SELECT system_identifier::text, pg_catalog.current_database()::text FROM pg_catalog.pg_control_system()`
	err := e.src.QueryRow(ctx, query).Scan(&e.system.SystemID, &e.system.Database)
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return errors.Wrap(err, "identify the source system")
	}
	rep, err := source.Connect(ctx, e.o.Source, e.o.Logger)
	if err != nil {
		return err
	}
	defer rep.Close(ctx)
	e.system, err = rep.IdentifySystem(ctx)
	return err
}

// close closes both connections, which releases the lock.
func (e *engine) close(ctx context.Context) {
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	for _, conn := range []*pgx.Conn{e.src, e.dst} {
		if conn != nil {
			closeConn(ctx, conn)
		}
	}
	e.src, e.dst = nil, nil
}

// takeOver locks the migration and fences earlier instances of it.
func (e *engine) takeOver(ctx context.Context) error {
	e.m = nil
	if err := e.lock(ctx); err != nil {
		return err
	}
	m, err := target.Load(ctx, e.dst, e.o.Name)
	if err != nil || m == nil {
		return err
	}
	if err := e.checkSource(m); err != nil {
		return err
	}
	running := string(e.command)
	if e.cut != nil {
		e.command, running = m.Command, cutoverCommand
	}
	if m.Command != e.command {
		err := errors.Newf("migration %q on the target was started by walferry %s", e.o.Name, m.Command)
		return errors.WithHintf(err, "resume it with walferry %s, or choose another --name", m.Command)
	}
	if _, err := target.BeginEpoch(ctx, e.dst, e.o.Name, running, operator()); err != nil {
		return err
	}
	failpoint.Hit("migration: taken over")
	// Read once more: what an earlier instance had under way has been waited for.
	e.m, err = target.Load(ctx, e.dst, e.o.Name)
	if err == nil && e.m == nil {
		err = errEnded
	}
	if err != nil {
		return err
	}
	e.found = true
	e.wasFenced = e.wasFenced || e.m.FencedAt != nil
	return nil
}

// checkSource fails when the migration is of another source.
func (e *engine) checkSource(m *target.Migration) error {
	if m.SystemID != e.system.SystemID || m.Database != e.system.Database {
		err := errors.Newf("migration %q on the target belongs to another source", e.o.Name)
		err = errors.WithDetailf(err, "it was started from database %q of cluster %s, this source is database %q of cluster %s",
			m.Database, m.SystemID, e.system.Database, e.system.SystemID)
		return errors.WithHint(err, "point --source at the database that it was started from, choose another --name, or run walferry cleanup")
	}
	return nil
}

// setPhase records and reports the phase.
func (e *engine) setPhase(ctx context.Context, p target.Phase) error {
	if e.m.Phase != p {
		e.m.Phase = p
		e.o.Logger.InfoContext(ctx, "phase", "phase", p)
		if err := target.Save(ctx, e.dst, e.m); err != nil {
			return err
		}
	}
	e.report(func(v *status.Progress) { v.Phase, v.Item, v.EntriesDone, v.EntriesTotal = string(p), "", 0, 0 })
	return nil
}

// report changes the progress and hands it on.
func (e *engine) report(change func(*status.Progress)) {
	e.progress.Lock()
	defer e.progress.Unlock()
	change(&e.progress.value)
	e.o.Progress(e.progress.value)
}

// stopped reports whether the run was asked to drain.
func (e *engine) stopped() bool {
	select {
	case <-e.o.Stop:
		return true
	default:
		return false
	}
}

// untilStopped returns a context that ends when the run is asked to drain, for
// the phases in which draining means to leave the work at hand.
func (e *engine) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-e.o.Stop:
			cancel(ErrStopped)
		case <-done:
		}
	})
	return ctx, func() {
		close(done)
		wg.Wait()
		cancel(nil)
	}
}

// cleanupContext outlives a cancelled run, for a bounded time.
func cleanupContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
}

// closeConn closes a connection that nothing depends on anymore.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	if err := conn.Close(ctx); err != nil {
		return // it is gone either way
	}
}
