package engine

import (
	"context"
	"fmt"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// chosenNames are the tables whose sequences and objects are compared: what is chosen of what
// the migration moves; nil when that is everything.
func (v *verifier) chosenNames(ctx context.Context) ([]catalog.Name, error) {
	tables, err := catalog.Definitions(ctx, v.src, v.o.Filter)
	if err != nil {
		return nil, err
	}
	ledger, err := v.ledger(ctx)
	if err != nil {
		return nil, err
	}
	moved := map[catalog.Name]bool{}
	for i := range tables {
		t := &tables[i]
		_, listed := ledger[t.Name]
		_, root := ledger[t.Root]
		if listed || root || v.m == nil {
			moved[t.Name] = true
			for _, above := range []catalog.Name{t.Parent, t.Root} {
				if !above.IsZero() {
					moved[above] = true
				}
			}
		}
	}
	names := []catalog.Name{}
	for i := range tables {
		if moved[tables[i].Name] || tables[i].Kind == catalog.KindPartitioned && !tables[i].HasChildren {
			names = append(names, tables[i].Name)
		}
	}
	if v.o.Filter.IsZero() && len(names) == len(tables) {
		return nil, nil
	}
	return names, nil
}

// beforeCutover reports that sequences are set later.
func (v *verifier) beforeCutover() bool {
	return v.m != nil && v.m.Slot != "" && v.m.Phase != target.Done && v.m.Phase != target.CuttingOver
}

// compareSequences finds sequences that the target lacks, or whose next value it has
// given out on the source already. They belong to no snapshot.
func (v *verifier) compareSequences(ctx context.Context) error {
	names, err := v.chosenNames(ctx)
	if err != nil {
		return err
	}
	chosen := make(map[catalog.Name]bool, len(names))
	for _, name := range names {
		chosen[name] = true
	}
	all, err := catalog.Sequences(ctx, v.src)
	if err != nil {
		return err
	}
	theirs, err := catalog.Sequences(ctx, v.dst)
	if err != nil {
		return err
	}
	onTarget := make(map[catalog.Name]bool, len(theirs))
	for _, s := range theirs {
		onTarget[s.Name] = true
	}
	var both []catalog.Sequence
	for _, s := range all {
		switch {
		case names != nil && !chosen[s.Table]:
		case !onTarget[s.Name]:
			v.result.Sequences = append(v.result.Sequences, status.VerifiedSequence{Sequence: s.String(), Problem: "the target has no such sequence"})
		default:
			both = append(both, s)
		}
	}
	// The target first: a value that is given out in between does no harm.
	there, err := catalog.SequenceValues(ctx, v.dst, both)
	if err != nil {
		return errors.Wrap(err, "on the target")
	}
	here, err := catalog.SequenceValues(ctx, v.src, both)
	if err != nil {
		return errors.Wrap(err, "on the source")
	}
	for i, s := range both {
		if a, b := here[i], there[i]; behind(s.Increment, a, b) {
			v.result.Sequences = append(v.result.Sequences, status.VerifiedSequence{
				Sequence: s.String(), Held: v.beforeCutover(),
				Problem: fmt.Sprintf("last value %d, called %t, on the source; %d, %t, on the target", a.LastValue, a.IsCalled, b.LastValue, b.IsCalled),
			})
		}
	}
	return nil
}

// behind reports that the target would give out a value that the source has given out.
// Once the application writes to the target, it is ahead.
func behind(increment int64, source, target catalog.SequenceValue) bool {
	if source.LastValue == target.LastValue {
		return source.IsCalled && !target.IsCalled
	}
	return (source.LastValue > target.LastValue) == (increment > 0)
}

// compareObjects finds what of the source's schema the target lacks or has otherwise.
func (v *verifier) compareObjects(ctx context.Context) error {
	names, err := v.chosenNames(ctx)
	if err != nil {
		return err
	}
	here, err := catalog.Objects(ctx, v.src, names)
	if err != nil {
		return errors.Wrap(err, "on the source")
	}
	there, err := catalog.Objects(ctx, v.dst, names)
	if err != nil {
		return errors.Wrap(err, "on the target")
	}
	type id struct{ kind, schema, name string }
	onTarget := make(map[id]catalog.Object, len(there))
	for _, o := range there {
		onTarget[id{o.Kind, o.Schema, o.Name}] = o
	}
	var entries map[target.EntryName]target.EntryNote
	if v.m != nil {
		if entries, err = target.EntryNotes(ctx, v.dst, v.m.Name); err != nil {
			return err
		}
	}
	sameMajor := conninfo.Major(v.src.PgConn()) == conninfo.Major(v.dst.PgConn())
	for _, o := range here {
		other, exists := onTarget[id{o.Kind, o.Schema, o.Name}]
		note := entries[target.EntryName{Namespace: o.Schema, Name: o.Name}]
		found := status.VerifiedObject{Kind: o.Kind, Object: (&catalog.Name{Schema: o.Schema, Name: o.Name}).String(), Held: note.Pending}
		if o.Schema == "" {
			found.Object = o.Name
		}
		switch {
		case !exists && dependsOnMissing(o, func(kind string) bool { _, ok := onTarget[id{kind, o.Schema, o.Name}]; return ok }):
			continue
		case !exists:
			found.Problem = "the target has none"
		case o.Definition != other.Definition && (o.Portable || sameMajor):
			found.Problem = fmt.Sprintf("%s on the source, %s on the target", short(o.Definition), short(other.Definition))
		default:
			continue
		}
		if note.Message != "" {
			found.Problem += ": " + note.Message
		}
		v.result.Objects = append(v.result.Objects, found)
	}
	return nil
}

// dependsOnMissing reports that the state is that of an object which is told by itself.
func dependsOnMissing(o catalog.Object, exists func(kind string) bool) bool {
	switch o.Kind {
	case "TRIGGER STATE":
		return !exists("TRIGGER")
	case "RULE STATE":
		return !exists("RULE")
	}
	return false
}

// short bounds what is shown of a definition.
func short(definition string) string {
	const most = 300
	if runes := []rune(definition); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return definition
}
