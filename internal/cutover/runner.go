package cutover

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// The names of the steps, in order. Hooks are called after them, and what is
// recorded on the target is.
const (
	StepFence     = "fence"
	StepFinalLSN  = "final-lsn"
	StepDrain     = "drain"
	StepSequences = "sequences"
	StepObjects   = "objects"
	StepSchema    = "schema"
	StepValidate  = "validate"
	StepAnalyze   = "analyze"
	StepVerify    = "verify"
	StepQuiet     = "quiet"
	StepDecide    = "decide"
	StepRelease   = "release"
	StepDone      = "done"
)

// Step is one named part of a cutover.
type Step struct {
	Name string
	// Run does the step, and says in a few words what it came to. It may run again.
	Run func(ctx context.Context, a Actions) (detail string, err error)
}

// Runner runs steps and tells how they went. Its methods are called one after the other.
type Runner struct {
	Steps   []Step
	Actions Actions
	Hooks   Hooks
	// Record stores how a step goes on the target; nil when nobody wants to know.
	Record func(ctx context.Context, ord int, s target.Step) error
	// Begin is told the step that begins; nil means nobody asks.
	Begin  func(name string)
	Logger *slog.Logger

	done []status.Step
}

// Run runs the named steps in order. Before each its hook runs, which may refuse it.
func (r *Runner) Run(ctx context.Context, names ...string) error {
	for _, name := range names {
		i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Name == name })
		if i < 0 {
			continue // this migration has no such step
		}
		if err := r.run(ctx, i); err != nil {
			return errors.Wrapf(err, "step %s of the cutover", name)
		}
	}
	return nil
}

// From runs the named step and all that follow it.
func (r *Runner) From(ctx context.Context, name string) error {
	var names []string
	for _, s := range r.Steps {
		if len(names) > 0 || s.Name == name {
			names = append(names, s.Name)
		}
	}
	return r.Run(ctx, names...)
}

func (r *Runner) run(ctx context.Context, i int) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	step := r.Steps[i]
	if r.Begin != nil {
		r.Begin(step.Name)
	}
	s := target.Step{Name: step.Name, State: target.StepRunning, StartedAt: time.Now()}
	if err := r.record(ctx, i, s); err != nil {
		return err
	}
	err := r.Hooks.Run(ctx, r.Actions, step.Name)
	if err == nil {
		s.Detail, err = step.Run(ctx, r.Actions)
	}
	s.Seconds = time.Since(s.StartedAt).Seconds()
	if err != nil {
		s.State, s.Detail = target.StepFailed, err.Error()
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		// What failed may be the very connection, so this is for status only.
		return errors.WithSecondaryError(err, r.record(after, i, s))
	}
	failpoint.Hit("cutover: " + step.Name + " before it is recorded")
	s.State = target.StepDone
	done := status.Step{Step: s.Name, State: string(s.State), Seconds: s.Seconds, Detail: s.Detail}
	if recording, dry := r.Actions.(*Recording); dry {
		done.State, done.Seconds, done.Would = "planned", 0, append([]string{}, recording.Take()...)
	} else {
		r.Logger.InfoContext(ctx, "cutover", "step", s.Name, "seconds", s.Seconds, "result", s.Detail)
	}
	r.done = append(slices.DeleteFunc(r.done, func(d status.Step) bool { return d.Step == s.Name }), done)
	return r.record(ctx, i, s)
}

func (r *Runner) record(ctx context.Context, ord int, s target.Step) error {
	if r.Record == nil || r.Actions.Dry() {
		return nil
	}
	return r.Record(ctx, ord, s)
}

// Done returns the steps that were run, in order, each as it went the last time.
func (r *Runner) Done() []status.Step { return slices.Clone(r.done) }
