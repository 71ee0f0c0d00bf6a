package engine

import (
	"context"
	"sync"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/snapshot"
)

// copyTables copies every table that the ledger does not hold as copied: from
// the snapshot of the slot when it was made in this attempt, else from a new
// one, whose consistent point becomes the watermark of those tables.
func (e *engine) copyTables(ctx context.Context, s *exported) error {
	tables, err := e.pendingTables(ctx)
	if err != nil || len(tables) == 0 {
		return err
	}
	if err := e.chooseFormats(ctx, tables); err != nil {
		return err
	}
	if err := e.setPhase(ctx, target.Copying); err != nil {
		return err
	}
	if err := e.prepareTarget(ctx); err != nil {
		return err
	}
	if s == nil && e.m.Slot != "" {
		if s, err = e.newSnapshot(ctx); err != nil {
			return err
		}
		defer s.close(ctx)
	}
	o := snapshot.Options{
		Source: func(ctx context.Context) (*pgx.Conn, error) {
			return e.o.Source.Connect(ctx, conninfo.WithPurpose("copy"))
		},
		Target: e.writeConnection("copy"),
		Jobs:   e.o.Jobs, ChunkBytes: e.o.ChunkBytes, RetryFor: e.o.RetryFor, Logger: e.o.Logger,
		Progress: e.copyProgress(ctx, tables),
	}
	var watermark pglogrepl.LSN
	if s != nil {
		o.SnapshotName, watermark = s.name, s.point
	}
	// The exporter would hold back the source's vacuum for as long as it lives.
	o.Imported = func() { s.close(ctx) }
	o.Ledger = ledger{migration: e.m.Name, epoch: e.m.Epoch, watermark: watermark, notEmpty: e.o.IfNotEmpty}
	err = snapshot.Run(ctx, o, tables)
	if errors.Is(err, snapshot.ErrMoved) {
		e.o.Logger.WarnContext(ctx, "the rest is copied from a new snapshot", "reason", err)
		return errors.Mark(err, errAgain)
	}
	return err
}

// writeConnection opens target connections that are ready to write.
func (e *engine) writeConnection(purpose string, opts ...conninfo.Option) func(context.Context) (*pgx.Conn, error) {
	opts = append(opts, conninfo.WithPurpose(purpose))
	return func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := e.o.Target.Connect(ctx, opts...)
		if err != nil {
			return nil, err
		}
		if err := target.Rung(e.m.Rung).Prepare(ctx, conn); err != nil {
			return nil, errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx)))
		}
		return conn, nil
	}
}

// shownCopying is from which size on the ledger says that a table is being copied: smaller
// ones are done before anybody looks.
const shownCopying = 1 << 20

// copyProgress adds up what the tables report, and lets status see which are under way.
func (e *engine) copyProgress(ctx context.Context, tables []snapshot.Table) func(snapshot.Progress) {
	var total copyTotal
	e.report(func(v *status.Progress) {
		total = copyTotal{tables: make(map[*snapshot.Table]snapshot.Progress, len(tables))}
		total.write(v)
	})
	var starting sync.Mutex // of e.dst
	return func(p snapshot.Progress) {
		if p.State == snapshot.Started && p.Table.Bytes >= shownCopying {
			starting.Lock()
			err := target.StartCopy(ctx, e.dst, e.m.Name, p.Table.Namespace, p.Table.Name)
			starting.Unlock()
			if err != nil { // only status misses it
				e.o.Logger.DebugContext(ctx, "record that a table is being copied", "table", p.Table.String(), "reason", err)
			}
		}
		e.report(func(v *status.Progress) {
			total.add(p)
			total.write(v)
		})
		if p.State == snapshot.Done {
			e.progressed()
		}
	}
}

// ledger records copied tables in the target's ledger.
type ledger struct {
	migration string
	epoch     int64
	watermark pglogrepl.LSN
	notEmpty  NotEmpty
}

var _ snapshot.ChunkLedger = ledger{}

func (l ledger) of(t *snapshot.Table) target.TableCopy {
	return target.TableCopy{Migration: l.migration, Namespace: t.Namespace, Name: t.Name, Epoch: l.epoch, Watermark: l.watermark}
}

// Begin implements [snapshot.Ledger].
func (l ledger) Begin(ctx context.Context, conn *pgx.Conn, t *snapshot.Table) error {
	_, err := l.BeginChunks(ctx, conn, t, 0)
	return err
}

// BeginChunks implements [snapshot.ChunkLedger]: a table is copied once, and rows that
// are not ours are refused.
func (l ledger) BeginChunks(ctx context.Context, conn *pgx.Conn, t *snapshot.Table, chunks int) (leftover bool, err error) {
	uncopied, leftover, err := l.of(t).Begin(ctx, conn, chunks)
	switch {
	case err != nil:
		return false, err
	case !uncopied:
		return false, snapshot.ErrCopied
	case leftover || l.notEmpty != Refuse || t.Truncate:
		return leftover, nil
	}
	from := sqltext.Ident(t.Namespace, t.Name)
	if !t.Descendants {
		from = "ONLY " + from
	}
	var holds bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+from+")").Scan(&holds); err != nil {
		return false, errors.Wrapf(err, "look for rows in %s on the target", t)
	}
	if !holds {
		return false, nil
	}
	err = errors.Newf("table %s on the target holds rows already", t)
	err = errors.WithHint(err, "empty it, or say what to do with --if-not-empty append or truncate")
	return false, errors.Mark(err, ErrBlocked)
}

// BeginChunk implements [snapshot.ChunkLedger].
func (l ledger) BeginChunk(ctx context.Context, conn *pgx.Conn, t *snapshot.Table, number int) error {
	uncopied, err := l.of(t).BeginChunk(ctx, conn, number)
	if err == nil && !uncopied {
		return snapshot.ErrCopied
	}
	return err
}

// ChunkDone implements [snapshot.ChunkLedger].
func (l ledger) ChunkDone(ctx context.Context, conn *pgx.Conn, t *snapshot.Table, number int, r snapshot.Result) error {
	return l.of(t).ChunkDone(ctx, conn, number, r.Rows, r.Bytes)
}

// Done implements [snapshot.Ledger].
func (l ledger) Done(ctx context.Context, conn *pgx.Conn, t *snapshot.Table, r snapshot.Result) error {
	return l.of(t).Done(ctx, conn, r.Rows, r.Bytes, r.Elapsed.Seconds())
}
