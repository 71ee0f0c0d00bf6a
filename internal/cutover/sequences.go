package cutover

import (
	"context"
	"fmt"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/catalog"
)

// Sequences returns the source's sequences that the target has too.
func (s Sides) Sequences(ctx context.Context) ([]catalog.Sequence, error) {
	sequences, err := catalog.Sequences(ctx, s.Source)
	if err != nil {
		return nil, err
	}
	existing, err := catalog.Sequences(ctx, s.Target)
	if err != nil {
		return nil, err
	}
	onTarget := make(map[catalog.Name]bool, len(existing))
	for _, q := range existing {
		onTarget[q.Name] = true
	}
	wanted := sequences[:0]
	for _, q := range sequences {
		if onTarget[q.Name] {
			wanted = append(wanted, q)
		}
	}
	return wanted, nil
}

// CheckSequences fails unless the target's sequences, those of identity columns among
// them, stand where the source's do. It returns how many there are.
func (s Sides) CheckSequences(ctx context.Context) (int, error) {
	sequences, err := s.Sequences(ctx)
	if err != nil {
		return 0, err
	}
	want, err := catalog.SequenceValues(ctx, s.Source, sequences)
	if err != nil {
		return 0, err
	}
	got, err := catalog.SequenceValues(ctx, s.Target, sequences)
	if err != nil {
		return 0, err
	}
	for i, v := range want {
		if got[i] != v {
			err := errors.Newf("sequence %s on the target is not where the source's is", v.Name)
			err = errors.WithDetail(err, fmt.Sprintf("the source's last value is %d (called: %t), the target's %d (called: %t)",
				v.LastValue, v.IsCalled, got[i].LastValue, got[i].IsCalled))
			return 0, errors.WithHint(err, "something draws numbers from it: stop it")
		}
	}
	return len(want), nil
}
