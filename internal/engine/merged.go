package engine

import (
	"slices"
	"sync"

	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// mergedProgress shows the runs of several databases as one: sums, the largest lag,
// and the phase of the one that is furthest behind.
type mergedProgress struct {
	show func(status.Progress)

	mu     sync.Mutex
	values map[string]status.Progress
}

func newMergedProgress(show func(status.Progress)) *mergedProgress {
	return &mergedProgress{show: show, values: map[string]status.Progress{}}
}

var phaseOrder = []target.Phase{
	target.Preparing, target.Copying, target.Indexing, target.CatchingUp, target.Streaming, target.CuttingOver, target.Done,
}

// of returns what takes the progress of one database.
func (m *mergedProgress) of(database string) func(status.Progress) {
	return func(p status.Progress) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.values[database] = p
		sum := status.Progress{Phase: string(target.Done), Item: database}
		if p.Item != "" {
			sum.Item += ": " + p.Item
		}
		for _, v := range m.values {
			if slices.Index(phaseOrder, target.Phase(v.Phase)) < slices.Index(phaseOrder, target.Phase(sum.Phase)) {
				sum.Phase = v.Phase
			}
			sum.TablesDone += v.TablesDone
			sum.TablesTotal += v.TablesTotal
			sum.RowsCopied += v.RowsCopied
			sum.BytesCopied += v.BytesCopied
			sum.BytesTotal += v.BytesTotal
			sum.EntriesDone += v.EntriesDone
			sum.EntriesTotal += v.EntriesTotal
			sum.LagBytes = max(sum.LagBytes, v.LagBytes)
			sum.Transactions += v.Transactions
			sum.Changes += v.Changes
		}
		m.show(sum)
	}
}
