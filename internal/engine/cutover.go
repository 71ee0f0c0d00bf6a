package engine

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/validate"
)

// errLate ends a cutover that was not decided in time.
var errLate = errors.New("the cutover was not decided in time")

// CutoverOptions say how a migration is ended.
type CutoverOptions struct {
	Connection

	// Fence is how the source is closed to writers. Default: FenceReadOnly.
	Fence cutover.FenceKind
	// Timeout bounds the time from closing the source to the decision; then the source
	// is opened again. Default: 5 minutes.
	Timeout time.Duration
	// MaxLag is how many bytes what is applied may be behind when the source is closed.
	// Default: 1 MiB.
	MaxLag int64
	// Verify compares every row before the decision. Auto: when the tables are small enough
	// for that to take seconds.
	Verify Switch
	// Hooks is a directory with executables walferry-on-<step>; HookOutput takes what they write.
	Hooks      string
	HookOutput io.Writer
	// Jobs is as in MigrateOptions.
	Jobs int
	// DryRun looks at everything, changes nothing, and tells what would be done.
	DryRun bool
	// Checked is told the checklist; nil means nobody asks.
	Checked func(validate.Report)
}

func (o *CutoverOptions) setDefaults() {
	if o.Fence == "" {
		o.Fence = cutover.FenceReadOnly
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Minute
	}
	if o.Verify == "" {
		o.Verify = Auto
	}
	if o.MaxLag == 0 {
		o.MaxLag = 1 << 20
	}
	if o.Checked == nil {
		o.Checked = func(validate.Report) {}
	}
}

// cut is what an engine knows when it runs `cutover`.
type cut struct {
	o    CutoverOptions
	gate *gate
	// recording is set in a dry run.
	recording *cutover.Recording
	// deadline is set once the source is being closed.
	deadline time.Time
}

// Cutover ends a migration: it takes it over from the instance at work, closes the
// source to writers, makes the target complete and decides. Until it has decided, a
// failure opens the source again; after that it only goes forward. Run again, it
// finishes what was killed.
func Cutover(ctx context.Context, o CutoverOptions) (*status.Summary, error) {
	o.setDefaults()
	e := newCutover(o)
	e.setDefaults()
	if o.DryRun {
		return e.rehearse(ctx)
	}
	stop, wait := e.cut.gate.watch(e.o.Stop, e.refuseSignal)
	defer wait()
	e.o.Stop = stop
	if err := e.checkCutover(ctx); err != nil {
		return nil, err
	}
	summary, err := e.attempts(ctx, e.cutOver)
	if err == nil {
		return summary, nil
	}
	return nil, e.giveUp(ctx, err)
}

func newCutover(o CutoverOptions) *engine {
	m := MigrateOptions{Connection: o.Connection, Jobs: o.Jobs, MaxReplicationLag: &o.MaxLag, StopReplication: true}
	m.RetryFor = o.Timeout
	return &engine{o: m, cut: &cut{o: o, gate: newGate()}}
}

func (e *engine) setDefaults() { e.o.setDefaults() }

// cutOver is one attempt of [Cutover].
func (e *engine) cutOver(ctx context.Context) (*status.Summary, error) {
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	if e.m.Phase == target.Done {
		return e.summary(ctx)
	}
	if e.m.DecidedAt == nil {
		if err := e.requireCopied(ctx); err != nil {
			return nil, err
		}
		if err := e.bounded(ctx, e.stream); err != nil {
			return nil, err
		}
	}
	if err := e.finish(ctx); err != nil {
		return nil, err
	}
	return e.summary(ctx)
}

// rehearse runs the checklist and the steps with actions that only write down what
// they would change.
func (e *engine) rehearse(ctx context.Context) (*status.Summary, error) {
	defer e.close(ctx)
	if err := e.openExisting(ctx); err != nil {
		return nil, err
	}
	if e.m.Phase == target.Done {
		return nil, errors.WithHint(errors.Newf("migration %q is done", e.o.Name), "walferry cleanup forgets it")
	}
	if err := e.loadChoices(ctx); err != nil {
		return nil, err
	}
	first := cutover.StepRelease
	if e.m.DecidedAt == nil {
		report, err := e.checklist(ctx)
		if err != nil {
			return nil, err
		}
		e.cut.o.Checked(report)
		if !report.OK() {
			return nil, errors.Mark(&BlockedError{Report: report}, ErrBlocked)
		}
		first = cutover.StepFence
	}
	e.cut.recording = &cutover.Recording{}
	e.newRunner()
	if err := e.runner.From(ctx, first); err != nil {
		return nil, err
	}
	summary, err := e.summary(ctx)
	if err != nil {
		return nil, err
	}
	summary.Status = "planned"
	summary.Cutover = &status.Cutover{Fence: string(e.cut.o.Fence), Steps: e.runner.Done()}
	return summary, nil
}

// bounded runs f until the cutover's deadline, if the source is being closed already.
func (e *engine) bounded(ctx context.Context, f func(context.Context) error) error {
	if e.cut == nil || e.cut.deadline.IsZero() || e.m.DecidedAt != nil {
		return f(ctx)
	}
	bounded, cancel := context.WithDeadlineCause(ctx, e.cut.deadline, errLate)
	defer cancel()
	err := f(bounded)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil && !errors.Is(err, ErrStopped) {
		// Not an error that passes by itself, whatever it was that took too long.
		late := errors.Newf("the cutover was not decided within %s: %s", e.cut.o.Timeout, err.Error())
		late = errors.WithDetail(late, strings.Join(errors.GetAllDetails(err), "\n"))
		for _, hint := range errors.GetAllHints(err) {
			late = errors.WithHint(late, hint)
		}
		return errors.WithHint(errors.Mark(late, errLate), "remove what took so long, or allow more with --timeout")
	}
	return err
}

// beginClosing is called before the source is closed: from here on a first signal is
// refused. False when one has come before.
func (e *engine) beginClosing() bool {
	if e.cut == nil {
		return true
	}
	if !e.cut.gate.shut() {
		return false
	}
	if e.cut.deadline.IsZero() {
		e.cut.deadline = time.Now().Add(e.cut.o.Timeout)
	}
	return true
}

func (e *engine) refuseSignal() {
	text := "the source is closed: it is decided, or opened again, before the timeout; a second signal aborts"
	e.o.Logger.Warn("signal refused", "reason", text, "timeout", e.cut.o.Timeout)
}

// giveUp opens the source again, unless the migration is decided. Whether it is can
// be said only by the target, after every earlier instance is fenced off: as long as
// that cannot be had, the source stays closed.
func (e *engine) giveUp(ctx context.Context, cause error) error {
	if !e.cut.gate.isShut() && !e.wasFenced {
		return cause // nothing was closed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	defer e.close(ctx)
	decided, opened, err := e.reopen(ctx)
	switch {
	case err != nil:
		cause = errors.WithDetailf(cause, "the source may still be closed to writers: %v", err)
		return errors.WithHint(cause, "run walferry cutover again to finish, or walferry cutover --abort to open the source")
	case decided:
		cause = errors.WithDetail(cause, "the migration is decided: the target is complete, and the source stays closed")
		return errors.WithHint(cause, "run walferry cutover again to finish")
	case opened:
		cause = errors.WithDetail(cause, "the source is open to writers again; nothing was decided")
	default:
		cause = errors.WithDetail(cause, "nothing was decided: the source is what it was")
	}
	return errors.WithHint(cause, "walferry migrate continues the migration, walferry cutover tries again")
}

// reopen takes the migration over and opens the source, unless the migration is decided.
func (e *engine) reopen(ctx context.Context) (decided, opened bool, err error) {
	if err := e.open(ctx); err != nil {
		return false, false, err
	}
	if err := e.takeOver(ctx); err != nil {
		return false, false, err
	}
	if e.m == nil {
		return false, false, errors.Newf("the target holds no migration %q", e.o.Name)
	}
	if e.m.DecidedAt != nil {
		return true, false, nil
	}
	opened, err = e.sides().Open(ctx, cutover.Real{})
	if err != nil {
		return false, false, err
	}
	if e.m.Phase == target.CuttingOver {
		e.m.FinalLSN, e.m.FencedAt = 0, nil
		if err := e.setPhase(ctx, target.Streaming); err != nil {
			return false, opened, err
		}
	}
	return false, opened, e.hooks().Run(ctx, cutover.Real{}, hookReopen)
}

// hookReopen is the hook that is run after the source was opened again.
const hookReopen = "reopen"

// AbortCutover opens the source of a cutover that was killed before it decided.
func AbortCutover(ctx context.Context, o CutoverOptions) (opened bool, err error) {
	o.setDefaults()
	e := newCutover(o)
	e.setDefaults()
	defer e.close(ctx)
	decided, opened, err := e.reopen(ctx)
	if decided {
		err := errors.Newf("migration %q is decided: the target is complete and may be in use", o.Name)
		return false, errors.WithHint(err, "run walferry cutover again to finish")
	}
	return opened, err
}

// hooks are those of the cutover, told the facts as they are when one is run.
func (e *engine) hooks() cutover.Hooks {
	return cutover.Hooks{Dir: e.cut.o.Hooks, Output: e.cut.o.HookOutput, Facts: func() []string {
		facts := []string{
			"WALFERRY_NAME=" + e.o.Name, "WALFERRY_DATABASE=" + e.m.Database, "WALFERRY_FENCE=" + string(e.cut.o.Fence),
			fmt.Sprintf("WALFERRY_DECIDED=%t", e.m.DecidedAt != nil), "WALFERRY_FINAL_LSN=",
		}
		if e.m.FinalLSN != 0 {
			facts[len(facts)-1] += e.m.FinalLSN.String()
		}
		if !e.cut.deadline.IsZero() {
			facts = append(facts, fmt.Sprintf("WALFERRY_SECONDS_LEFT=%.0f", time.Until(e.cut.deadline).Seconds()))
		}
		return facts
	}}
}

// hookNames are the steps that a hook may be run before, and reopen.
func (e *engine) hookNames() []string {
	var names []string
	for _, s := range e.steps() {
		names = append(names, s.Name)
	}
	return append(names, hookReopen)
}
