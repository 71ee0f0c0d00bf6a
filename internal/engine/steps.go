package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"

	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// steps are those of `cutover`, and of `migrate --stop-replication`, which leaves it to
// the operator that nothing is written anymore. The first three run while the stream does.
func (e *engine) steps() []cutover.Step {
	steps := []cutover.Step{
		{Name: cutover.StepFence, Run: e.stepFence},
		{Name: cutover.StepFinalLSN, Run: e.stepFinalLSN},
		{Name: cutover.StepDrain, Run: e.stepDrain},
		{Name: cutover.StepSequences, Run: e.stepSequences},
		{Name: cutover.StepObjects, Run: e.stepObjects},
		{Name: cutover.StepSchema, Run: e.stepSchema},
		{Name: cutover.StepValidate, Run: e.stepValidate},
		{Name: cutover.StepAnalyze, Run: e.stepAnalyze},
		{Name: cutover.StepVerify, Run: e.stepVerify},
		{Name: cutover.StepQuiet, Run: e.stepQuiet},
		{Name: cutover.StepDecide, Run: e.stepDecide},
		{Name: cutover.StepRelease, Run: e.stepRelease},
		{Name: cutover.StepDone, Run: e.stepDone},
	}
	if e.m.Slot == "" {
		return append(steps[3:8:8], steps[10:]...) // neither verified nor looked at again
	}
	if e.cut == nil {
		return steps[1:]
	}
	return steps
}

// newRunner readies the steps for an attempt.
func (e *engine) newRunner() {
	e.runner = &cutover.Runner{
		Steps: e.steps(), Actions: cutover.Real{}, Logger: e.o.Logger,
		Record: func(ctx context.Context, ord int, s target.Step) error {
			return target.SaveStep(ctx, e.dst, e.m.Name, ord, s)
		},
		Begin: func(name string) { e.report(func(v *status.Progress) { v.Item = name }) },
	}
	if e.cut != nil {
		e.runner.Hooks = e.hooks()
		if e.cut.recording != nil {
			e.runner.Actions = e.cut.recording
		}
	}
}

// finish makes the target complete after the drain and decides, or goes on with a
// migration that is decided.
func (e *engine) finish(ctx context.Context) error {
	if err := e.setPhase(ctx, target.CuttingOver); err != nil {
		return err
	}
	if e.m.DecidedAt == nil {
		err := e.bounded(ctx, func(ctx context.Context) error {
			return e.runner.Run(ctx, cutover.StepSequences, cutover.StepObjects, cutover.StepSchema, cutover.StepValidate, cutover.StepAnalyze,
				cutover.StepVerify, cutover.StepQuiet, cutover.StepDecide)
		})
		if err != nil {
			return err
		}
	}
	return e.runner.From(ctx, cutover.StepRelease)
}

func (e *engine) sides() cutover.Sides {
	return cutover.Sides{Source: e.src, Target: e.dst, Migration: e.m.Name, Logger: e.o.Logger}
}

func (e *engine) stepFence(ctx context.Context, a cutover.Actions) (string, error) {
	if e.cut.o.Fence == cutover.FenceNone {
		return "left to the operator", nil
	}
	return e.sides().Close(ctx, a)
}

// stepFinalLSN takes the source's position once nobody has anything left to commit.
func (e *engine) stepFinalLSN(ctx context.Context, a cutover.Actions) (string, error) {
	if e.cut != nil {
		if err := e.sides().AwaitWriters(ctx, a); err != nil {
			return "", err
		}
	}
	var err error
	if e.finalXID, err = e.sides().NextXID(ctx); err != nil {
		return "", err
	}
	lsn, err := e.sourceLSN(ctx, "pg_current_wal_insert_lsn")
	if err != nil {
		return "", err
	}
	err = a.Do(ctx, "target: record the source's position as the final LSN", func(ctx context.Context) error {
		e.m.FinalLSN = lsn
		return target.SaveFinalLSN(ctx, e.dst, e.m.Name, lsn)
	})
	return lsn.String(), err
}

// stepDrain lets the stream end at the final LSN, and waits for that.
func (e *engine) stepDrain(ctx context.Context, a cutover.Actions) (string, error) {
	err := a.Do(ctx, "apply what the source committed until then, and end the stream", func(ctx context.Context) error {
		return e.drainTo(ctx, e.m.FinalLSN)
	})
	return "", err
}

func (e *engine) stepSequences(ctx context.Context, a cutover.Actions) (string, error) {
	wanted, err := e.sides().Sequences(ctx)
	if err != nil {
		return "", err
	}
	err = a.Do(ctx, fmt.Sprintf("target: set %d sequences to the source's positions", len(wanted)), func(ctx context.Context) error {
		return e.syncSequences(ctx, 0)
	})
	if err != nil || a.Dry() || e.cut == nil {
		return fmt.Sprintf("%d set", e.sequencesSet), err
	}
	n, err := e.sides().CheckSequences(ctx)
	return fmt.Sprintf("%d set and checked", n), err
}

// stepObjects brings over what no stream carries, and names the tables that were not moved.
func (e *engine) stepObjects(ctx context.Context, a cutover.Actions) (string, error) {
	if err := e.warnNewTables(ctx); err != nil {
		return "", err
	}
	err := a.Do(ctx, "target: bring its large objects up to date", func(ctx context.Context) error {
		return e.copyLargeObjects(ctx, "")
	})
	if err != nil {
		return "", err
	}
	if err := a.Do(ctx, "target: copy the rows of unlogged tables", e.copyUnlogged); err != nil {
		return "", err
	}
	return "", a.Do(ctx, "target: copy the user's rows of extensions' tables", e.copyExtensionRows)
}

// stepSchema restores what was held back or taken down.
func (e *engine) stepSchema(ctx context.Context, a cutover.Actions) (string, error) {
	if a.Dry() {
		pending, err := target.PendingEntries(ctx, e.dst, e.m.Name, schema.Finish)
		if err != nil {
			return "", err
		}
		for i := range pending {
			if err := a.Do(ctx, "target: restore "+pending[i].Object(), nil); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	pending, err := target.CountPending(ctx, e.dst, e.m.Name, schema.Finish)
	if err != nil {
		return "", err
	}
	if err := e.restore(ctx, target.CuttingOver, schema.Finish, 1); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d restored", pending), e.refreshViews(ctx)
}

func (e *engine) stepValidate(ctx context.Context, a cutover.Actions) (string, error) {
	if a.Dry() {
		return "", a.Do(ctx, "target: validate the foreign keys that were restored", nil)
	}
	n, broken, err := e.sides().ValidateKeys(ctx, a)
	for _, b := range broken {
		e.warn(b)
	}
	return fmt.Sprintf("%d foreign keys", n), err
}

func (e *engine) stepAnalyze(ctx context.Context, a cutover.Actions) (string, error) {
	return "", a.Do(ctx, "target: gather the planner's statistics of what was moved", e.analyze)
}

// verifyUpTo is up to which size of the target's tables every row is compared unless the
// options say whether to: a few seconds' work.
const verifyUpTo = 1 << 30

// verifies reports whether every row is compared before the decision.
func (e *engine) verifies(ctx context.Context) (bool, error) {
	if e.cut == nil || e.cut.o.Verify != Auto {
		return e.cut != nil && e.cut.o.Verify == On, nil
	}
	var bytes int64
	err := e.dst.QueryRow(ctx, `
		SELECT coalesce(pg_catalog.sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint FROM walferry."table" t
		JOIN pg_catalog.pg_namespace n ON n.nspname = t.namespace
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
		WHERE t.migration = $1 AND t.state <> 'skipped'`, e.m.Name).Scan(&bytes)
	return bytes <= verifyUpTo, errors.Wrap(err, "measure the tables of the target")
}

// stepVerify compares the rows of both sides as they stand: nobody writes.
func (e *engine) stepVerify(ctx context.Context, a cutover.Actions) (string, error) {
	wanted, err := e.verifies(ctx)
	if err != nil || !wanted {
		return "", err
	}
	var equal int
	err = a.Do(ctx, "compare every row of both sides", func(ctx context.Context) error {
		o := VerifyOptions{Connection: e.o.Connection, Filter: e.o.Filter, Jobs: e.cut.o.Jobs, Restart: true, RowsOnly: true}
		o.Progress = nil
		v, err := verifyDatabase(ctx, o)
		if err != nil {
			return err
		}
		var differ []string
		for _, t := range v.Tables {
			if t.Equal {
				equal++
			} else {
				differ = append(differ, t.Table)
			}
		}
		if v.Equal {
			return nil
		}
		err = errors.Newf("source and target differ in %s", strings.Join(differ, ", "))
		return errors.Mark(errors.WithHint(err, "walferry verify shows which rows"), ErrDiffer)
	})
	return fmt.Sprintf("%d tables are equal", equal), err
}

// stepQuiet makes sure that nothing was written since the final LSN, as far as the
// slot can tell, and that is everything that is published.
func (e *engine) stepQuiet(ctx context.Context, a cutover.Actions) (string, error) {
	if a.Dry() {
		return "", a.Do(ctx, "look once more for writes behind the final LSN", nil)
	}
	// The one that the drain's own message has taken is the only one, unless somebody on that
	// server has written; who and what, the slot tells, in the time that decoding takes.
	if next, err := e.sides().NextXID(ctx); err != nil || next == e.finalXID+1 {
		return "nothing was written since", err
	}
	late, err := e.sides().Late(ctx, e.m.Slot, e.m.Publications, e.m.FinalLSN)
	switch {
	case err != nil || late == 0:
		return "nothing was written since", err
	case e.cut == nil:
		e.warn(fmt.Sprintf("the source was written to after %s, where the stream ended: %d transactions are not on the target", e.m.FinalLSN, late))
		return fmt.Sprintf("%d transactions were written since", late), nil
	}
	err = errors.Newf("the source was written to after the final LSN %s: %d transactions are not on the target", e.m.FinalLSN, late)
	return "", errors.WithHint(err, "stop the writers, and run walferry cutover again")
}

func (e *engine) stepDecide(ctx context.Context, a cutover.Actions) (string, error) {
	err := a.Do(ctx, "target: record that the migration is decided, the point of no return", func(ctx context.Context) error {
		return target.Decide(ctx, e.dst, e.m.Name, e.m.Epoch)
	})
	if err != nil || a.Dry() {
		return "", err
	}
	m, err := target.Load(ctx, e.dst, e.m.Name)
	if err != nil {
		return "", err
	}
	e.m.DecidedAt, e.m.FencedAt = m.DecidedAt, m.FencedAt
	if m.FencedAt == nil {
		return "", nil
	}
	return fmt.Sprintf("the source had been closed for %.1f s", m.DecidedAt.Sub(*m.FencedAt).Seconds()), nil
}

// stepRelease drops what the migration made on the source.
func (e *engine) stepRelease(ctx context.Context, a cutover.Actions) (string, error) {
	if a.Dry() {
		for _, name := range replicationObjects(e.m) {
			if err := a.Do(ctx, "source: drop "+name, nil); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	dropped, err := dropReplication(ctx, e.src, e.m)
	if err != nil {
		return "", err
	}
	for _, name := range dropped {
		e.o.Logger.InfoContext(ctx, "dropped on the source", "object", name)
	}
	e.m.OwnsSlot, e.m.OwnedPublications = false, nil
	return fmt.Sprintf("%d objects dropped on the source", len(dropped)), target.Save(ctx, e.dst, e.m)
}

func (e *engine) stepDone(ctx context.Context, a cutover.Actions) (string, error) {
	return "", a.Do(ctx, "target: record that the migration is done", func(ctx context.Context) error {
		return e.setPhase(ctx, target.Done)
	})
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
