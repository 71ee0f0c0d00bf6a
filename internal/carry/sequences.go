package carry

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/target"
)

// SequenceOptions say which sequences are set. Source, Target and Migration are
// needed.
type SequenceOptions struct {
	Source, Target *pgx.Conn
	Migration      string
	// Margin is how many numbers the target is to be ahead of the source, for an
	// application that is switched over in an emergency: at least half as many, at
	// most a tenth of what the sequence has left. Zero sets the exact positions.
	Margin int64
	// Some says that only some tables were chosen: a sequence that the target lacks
	// is none of theirs.
	Some bool
}

// SequenceResult says what became of them.
type SequenceResult struct {
	// Sequences is how many stand where they should, Set how many were moved to it.
	Sequences, Set int
	Warnings       []string
}

// Sequences sets the target's sequences to the source's positions, or ahead of
// them. A sequence that was used on the target, which shows by its standing
// elsewhere than walferry left it, is never set back; a number that the target
// has handed out is not handed out again.
func Sequences(ctx context.Context, o SequenceOptions) (SequenceResult, error) {
	var r SequenceResult
	fail := func(err error) (SequenceResult, error) {
		return r, errors.Wrap(err, "set the target's sequences")
	}
	sequences, err := catalog.Sequences(ctx, o.Source)
	if err != nil {
		return fail(err)
	}
	existing, err := catalog.Sequences(ctx, o.Target)
	if err != nil {
		return fail(err)
	}
	onTarget := make(map[catalog.Name]catalog.Sequence, len(existing))
	for _, s := range existing {
		onTarget[s.Name] = s
	}
	var wanted, there []catalog.Sequence
	for _, s := range sequences {
		t, exists := onTarget[s.Name]
		switch {
		case !exists && o.Some:
		case !exists:
			r.Warnings = append(r.Warnings, "sequence "+s.String()+" does not exist on the target and was not set")
		case !s.Readable:
			r.Warnings = append(r.Warnings, "sequence "+s.String()+" was not set: the source's role may not read it")
		case !t.Readable:
			r.Warnings = append(r.Warnings, "sequence "+s.String()+" was not set: the target's role may not read it")
		default:
			wanted, there = append(wanted, s), append(there, t)
		}
	}
	from, err := catalog.SequenceValues(ctx, o.Source, wanted)
	if err != nil {
		return fail(err)
	}
	now, err := catalog.SequenceValues(ctx, o.Target, there)
	if err != nil {
		return fail(err)
	}
	left, err := target.RecordedSequences(ctx, o.Target, o.Migration)
	if err != nil {
		return fail(err)
	}
	var moves []catalog.SequenceValue
	for i, t := range there {
		last, recorded := left[t.Name]
		used := now[i] != last
		if !recorded {
			used = now[i].IsCalled || now[i].LastValue != t.Start
		}
		to := ahead(t, from[i], o.Margin)
		keep := used && behind(t, to, now[i])
		if o.Margin > 0 {
			keep = !behind(t, now[i], ahead(t, from[i], o.Margin/2))
		}
		switch {
		case t.Cycle && used && now[i] != to && o.Margin == 0:
			r.Warnings = append(r.Warnings, "sequence "+t.String()+" was used on the target and, as it starts anew at its end, was not set")
			continue
		case to == now[i], keep, t.Cycle && used:
		default:
			moves = append(moves, to)
		}
		r.Sequences++
	}
	// Recorded first: after a crash in between, the sequences seem used, and only go ahead.
	if err := target.RecordSequences(ctx, o.Target, o.Migration, moves); err != nil {
		return fail(err)
	}
	failpoint.Hit("sequences: before they are set")
	if err := catalog.SetSequences(ctx, o.Target, moves); err != nil {
		return fail(err)
	}
	r.Set = len(moves)
	return r, nil
}

// ahead is a position margin numbers after v, within the sequence's bounds. A
// sequence that starts anew at its end has no ahead.
func ahead(s catalog.Sequence, v catalog.SequenceValue, margin int64) catalog.SequenceValue {
	if margin <= 0 || s.Cycle {
		return v
	}
	step, room := uint64(s.Increment), uint64(s.Max)-uint64(v.LastValue)
	if s.Increment < 0 {
		step, room = -step, uint64(v.LastValue)-uint64(s.Min)
	}
	if v.LastValue < s.Min || v.LastValue > s.Max {
		return v // the server will say what is wrong with it
	}
	v.IsCalled = true
	v.LastValue += int64(min(uint64(margin), room/step/10)) * s.Increment
	return v
}

// behind reports whether a position of the sequence comes before another.
func behind(s catalog.Sequence, a, b catalog.SequenceValue) bool {
	if a.LastValue == b.LastValue {
		return !a.IsCalled && b.IsCalled
	}
	return (a.LastValue < b.LastValue) == (s.Increment > 0)
}
