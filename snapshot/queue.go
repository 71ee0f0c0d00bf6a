package snapshot

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// job is one table to copy. Several workers copy its chunks.
type job struct {
	table  *Table
	chunks []chunk // none: the table is copied as a whole

	claiming sync.Mutex // guards these
	claimed  bool
	copied   bool // an earlier run had copied it after all
	began    time.Time
	moved    error // why the table is left for another snapshot

	// bytes are moved, or about to be; rows, committed and done are those of the parts
	// that are committed, in rows, bytes and parts.
	bytes, rows, committed, done atomic.Int64
}

// part is what one COPY moves: a job's table, or a chunk of it.
type part struct {
	*job

	number  int  // of the chunk, from 1 on; 0 is the whole table
	present bool // it is committed
	last    bool // all other chunks were committed before
}

// chunk is nil for a whole table.
func (p *part) chunk() *chunk {
	if p.number == 0 {
		return nil
	}
	return &p.chunks[p.number-1]
}

// parts returns how many there are of a job.
func (j *job) parts() int { return max(1, len(j.chunks)) }

// queueOf returns a closed channel that holds all parts, those of the largest table
// first, so that no large one starts last and runs alone. The chunks of a table follow
// each other: who copies one copies the next, and keeps its lock on the source.
func queueOf(jobs []*job) <-chan *part {
	slices.SortStableFunc(jobs, func(a, b *job) int { return cmp.Compare(b.table.Bytes, a.table.Bytes) })
	total := 0
	for _, j := range jobs {
		total += j.parts()
	}
	queue := make(chan *part, total)
	for _, j := range jobs {
		if len(j.chunks) == 0 {
			queue <- &part{job: j}
		}
		for i := range j.chunks {
			queue <- &part{job: j, number: i + 1}
		}
	}
	close(queue)
	return queue
}

// start reports the first time that the job is begun.
func (j *job) start(o *Options) {
	j.claiming.Lock()
	defer j.claiming.Unlock()
	if j.began.IsZero() {
		j.began = time.Now()
		j.report(o, Started)
	}
}

// left returns why the job's table is left for another snapshot, if it is.
func (j *job) left() error {
	j.claiming.Lock()
	defer j.claiming.Unlock()
	return j.moved
}

// leave leaves the job's table for another snapshot.
func (j *job) leave(why error) {
	j.claiming.Lock()
	defer j.claiming.Unlock()
	j.moved = why
}

// commit adds up a part that is on the target. When it was found there, this run's
// commit had not been confirmed, or an earlier run's came late.
func (p *part) commit(w *worker, r Result, found bool) {
	if found {
		r = w.uncertain
		p.bytes.Add(r.Bytes)
	}
	p.present = true
	p.rows.Add(r.Rows)
	p.committed.Add(r.Bytes)
	p.last = p.done.Add(1) == int64(len(p.chunks))
}

// result is what was moved so far.
func (j *job) result() Result {
	return Result{Rows: j.rows.Load(), Bytes: j.bytes.Load(), Elapsed: time.Since(j.began)}
}

// report tells how far the job is.
func (j *job) report(o *Options, s State) {
	p := Progress{Table: j.table, State: s, Committed: j.committed.Load(), Chunks: j.parts(), ChunksDone: int(j.done.Load())}
	if s != Planned {
		p.Result = j.result()
	}
	o.Progress(p)
}

// finish reports a job whose table is complete.
func (j *job) finish(ctx context.Context, o *Options) {
	r := j.result()
	o.Logger.LogAttrs(ctx, slog.LevelInfo, "table copied", slog.String("table", j.table.String()), slog.Int("chunks", j.parts()),
		slog.Int64("rows", r.Rows), slog.Int64("bytes", r.Bytes), slog.Duration("elapsed", r.Elapsed))
	j.report(o, Done)
}
