package engine

import (
	"context"
	"slices"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// errAgain ends an attempt that has to begin anew at once, without an error to tell.
var errAgain = errors.New("begin the attempt anew")

// Migrate runs a migration until it is stopped, fails, or has come as far as the
// options ask. It resumes what it finds on the target.
func Migrate(ctx context.Context, o MigrateOptions) (*status.Summary, error) {
	o.setDefaults()
	e := &engine{o: o, command: target.Migrate}
	// A wrong address or a missing right shows here, and is not retried.
	if err := e.check(ctx); err != nil {
		return nil, err
	}
	if e.o.DryRun {
		return e.o.checked(), nil
	}
	return e.attempts(ctx, e.migrate)
}

// checked is the summary of a dry run.
func (o *MigrateOptions) checked() *status.Summary {
	return &status.Summary{
		SchemaVersion: status.SchemaVersion, Name: o.Name, Database: o.Source.Database(), Method: string(o.Method), Status: "checked",
		Tables: []status.Table{}, Roles: []status.Role{}, Skipped: []string{}, Warnings: []string{},
		Databases: []status.DatabaseResult{{Database: o.Source.Database(), Method: string(o.Method), Status: "checked"}},
	}
}

// reach connects to both sides once: a wrong address is not retried.
func (e *engine) reach(ctx context.Context) error {
	defer e.close(ctx)
	return e.openFirst(ctx)
}

// openFirst is the first open of a run: of what is retried later, it is patient only with
// a server that answers that it is starting.
func (e *engine) openFirst(ctx context.Context) error {
	patience, cancel := e.untilStopped(ctx)
	defer cancel()
	var final error
	err := retry.Do(patience, retry.Policy{For: e.o.RetryFor}, e.o.Logger, func(context.Context, func()) error {
		err := e.open(ctx)
		var answer *pgconn.PgError
		if errors.As(err, &answer) && answer.Code == "57P03" { // cannot_connect_now
			e.close(ctx)
			return err
		}
		final = err
		return nil
	})
	switch {
	case err == nil:
		return final
	case ctx.Err() == nil && e.stopped():
		return ErrStopped
	}
	return err
}

// attempts runs attempt until it succeeds, fails for good, or was retried for too
// long. What a failed preparation left on the source is dropped then.
func (e *engine) attempts(ctx context.Context, attempt func(context.Context) (*status.Summary, error)) (summary *status.Summary, err error) {
	patience, cancel := e.untilStopped(ctx) // a stop also ends the wait between attempts
	defer cancel()
	err = retry.Do(patience, retry.Policy{For: e.o.RetryFor}, e.o.Logger, func(_ context.Context, progress func()) error {
		e.progressed = progress
		for {
			var err error
			summary, err = attempt(ctx)
			err = e.recordError(ctx, err)
			e.close(ctx)
			if errors.Is(err, errHandedOver) {
				e.handedOver = true
				err = e.standBy(ctx)
				if err == nil {
					continue
				}
			}
			if e.handedOver && ended(err) {
				e.o.Logger.InfoContext(ctx, "another instance has ended the migration, and it was cleaned up")
				summary, err = &status.Summary{
					SchemaVersion: status.SchemaVersion, Name: e.o.Name, Database: e.system.Database, Method: string(MethodReplication),
					Status: "handed over", Tables: []status.Table{}, Skipped: []string{}, Warnings: []string{},
				}, nil
			}
			if !errors.Is(err, errAgain) {
				return err
			}
		}
	})
	if err == nil {
		return summary, nil
	}
	if ctx.Err() == nil && e.stopped() {
		err = ErrStopped
	}
	if e.m != nil && e.m.Phase == target.Preparing {
		err = errors.CombineErrors(err, e.undo(ctx))
	}
	return nil, err
}

// migrate is one attempt.
func (e *engine) migrate(ctx context.Context) (*status.Summary, error) {
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	if e.m.Phase == target.Done {
		return e.summary(ctx)
	}
	if err := e.requireUndecided(); err != nil {
		return nil, err
	}
	if e.m.DecidedAt == nil {
		if err := e.bringOver(ctx); err != nil {
			return nil, err
		}
		if e.m.Slot != "" {
			if err := e.stream(ctx); err != nil {
				return nil, err
			}
		}
	}
	if e.m.Slot == "" || e.o.StopReplication {
		ctx, cancel := e.untilStopped(ctx)
		defer cancel()
		if err := e.finish(ctx); err != nil {
			return nil, err
		}
	}
	return e.summary(ctx)
}

// requireUndecided fails when a cutover has passed the point of no return: the target
// may be in use, and nothing is to be applied to it anymore.
func (e *engine) requireUndecided() error {
	if e.m.DecidedAt == nil {
		if e.m.FencedAt != nil {
			e.o.Logger.Warn("the source is closed to writers by a cutover that did not end",
				"hint", "run walferry cutover to finish it, or walferry cutover --abort to open the source")
		}
		return nil
	}
	if e.m.Slot == "" || e.o.StopReplication {
		return nil
	}
	err := errors.Newf("migration %q is decided: the target is complete and may be in use", e.o.Name)
	return errors.WithHint(err, "run walferry cutover to finish it")
}

// bringOver moves roles, schema, rows and indexes, as far as that has not been done.
func (e *engine) bringOver(ctx context.Context) error {
	ctx, cancel := e.untilStopped(ctx)
	defer cancel()
	leave, err := e.o.group.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := e.moveRoles(ctx); err != nil {
		return err
	}
	if e.m.Slot == "" {
		if err := e.bringOverDump(ctx); err != nil {
			return err
		}
	} else if err := e.bringOverSlot(ctx); err != nil {
		return err
	}
	if err := e.restore(ctx, target.Indexing, schema.Index, e.o.Jobs); err != nil {
		return err
	}
	if e.m.Slot != "" && slices.Contains([]target.Phase{target.Preparing, target.Copying, target.Indexing}, e.m.Phase) {
		// What changes after this is brought up to date at the end.
		if err := e.copyLargeObjects(ctx, ""); err != nil {
			return err
		}
	}
	return target.IndexesDone(ctx, e.dst, e.m.Name)
}

// bringOverSlot moves schema and rows, the rows as the slot's snapshot shows them.
func (e *engine) bringOverSlot(ctx context.Context) error {
	if err := e.restoreSchema(ctx, ""); err != nil {
		return err
	}
	s, err := e.startReplication(ctx)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	return e.copyTables(ctx, s)
}

// bringOverDump moves schema, large objects and rows as one snapshot shows them all.
// A dump that is begun anew takes another snapshot for all of its rows; its schema
// stays that of the first.
func (e *engine) bringOverDump(ctx context.Context) error {
	if e.m.Phase != target.Preparing && e.m.Phase != target.Copying {
		return nil
	}
	s, err := e.exportSnapshot(ctx)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	if err := e.restoreSchema(ctx, s.name); err != nil {
		return err
	}
	if err := e.listTables(ctx); err != nil {
		return err
	}
	// Before the rows: once all of them are there, nothing is copied anymore.
	if pending, err := e.pendingTables(ctx); err != nil || len(pending) == 0 && e.m.Phase == target.Copying {
		return err
	}
	if err := e.copyLargeObjects(ctx, s.name); err != nil {
		return err
	}
	return e.copyTables(ctx, s)
}

// begin connects, locks the migration, and records it when it is new.
func (e *engine) begin(ctx context.Context) error {
	if err := e.open(ctx); err != nil {
		return err
	}
	if e.absent {
		if err := e.createDatabase(ctx); err != nil {
			return err
		}
		failpoint.Hit("database: created")
	}
	if e.found {
		if installed, err := target.Installed(ctx, e.dst); err != nil || !installed {
			return errors.CombineErrors(err, errEnded)
		}
	}
	if err := target.Install(ctx, e.dst); err != nil {
		return err
	}
	if err := e.takeOver(ctx); err != nil {
		return err
	}
	if e.m != nil {
		if e.m.Phase == target.Preparing && !e.m.OwnsSlot && e.o.Method != MethodDump {
			e.m.Slot = e.slotName() // nothing depends on the earlier name yet
		}
		return e.ready(ctx)
	}
	if e.cut != nil || e.found {
		return errEnded // not to be begun anew
	}
	m := &target.Migration{
		Name: e.o.Name, Command: e.command, Database: e.system.Database, SystemID: e.system.SystemID,
		Phase: target.Preparing, Publications: []string{}, Databases: e.o.group.names(), MadeDatabase: e.made,
	}
	if e.o.Method != MethodDump {
		m.Slot = e.slotName()
		m.Publications = append(m.Publications, e.o.Publications...)
	}
	if err := target.Create(ctx, e.dst, m); err != nil {
		return err
	}
	failpoint.Hit("migration: recorded")
	if err := e.takeOver(ctx); err != nil {
		return err
	}
	return e.ready(ctx)
}

// ready readies an attempt for what its migration was asked to move.
func (e *engine) ready(ctx context.Context) error {
	e.newRunner()
	if e.cut != nil {
		return e.loadChoices(ctx)
	}
	return e.saveChoices(ctx)
}

// recordError leaves an attempt's error in the target, for status.
func (e *engine) recordError(ctx context.Context, cause error) error {
	if cause == nil || e.m == nil || e.dst == nil || e.dst.IsClosed() || errors.IsAny(cause, errAgain, errHandedOver, ErrStopped) {
		return cause
	}
	ctx, cancel := cleanupContext(ctx)
	defer cancel()
	e.m.Error = cause.Error()
	return errors.CombineErrors(cause, target.Save(ctx, e.dst, e.m))
}
