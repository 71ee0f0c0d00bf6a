package target

import (
	"slices"
	"sync"
)

// entryQueue hands out entries whose dependencies within the stage are done, in order.
type entryQueue struct {
	mu      sync.Mutex
	changed *sync.Cond
	entries []Entry
	ready   []int           // of entries, ascending
	waiting map[int32][]int // of entries, by the id of each that they wait for
	missing []int           // how many each of entries waits for
	left    int             // entries that have not been handed out
	done    int
	closed  bool
}

func newEntryQueue(entries []Entry) *entryQueue {
	q := &entryQueue{entries: entries, waiting: map[int32][]int{}, missing: make([]int, len(entries)), left: len(entries)}
	q.changed = sync.NewCond(&q.mu)
	listed := make(map[int32]bool, len(entries))
	for i := range entries {
		for _, id := range entries[i].Dependencies {
			// Only what the dump lists earlier is waited for: where it lists a
			// dependency later, pg_dump broke a loop.
			if listed[id] {
				q.waiting[id] = append(q.waiting[id], i)
				q.missing[i]++
			}
		}
		if id := entries[i].ID; id != 0 {
			listed[id] = true
		}
		if q.missing[i] == 0 {
			q.ready = append(q.ready, i)
		}
	}
	return q
}

// next waits for an entry that may run; false when there will be none.
func (q *entryQueue) next() (Entry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && q.left > 0 {
		if len(q.ready) > 0 {
			i := q.ready[0]
			q.ready = q.ready[1:]
			q.left--
			return q.entries[i], true
		}
		q.changed.Wait()
	}
	return Entry{}, false
}

func (q *entryQueue) finish(e Entry, report func(done, total int, e Entry)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range q.waiting[e.ID] {
		if q.missing[i]--; q.missing[i] == 0 {
			at, _ := slices.BinarySearch(q.ready, i)
			q.ready = slices.Insert(q.ready, at, i)
		}
	}
	q.done++
	if report != nil {
		report(q.done, len(q.entries), e)
	}
	q.changed.Broadcast()
}

func (q *entryQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
