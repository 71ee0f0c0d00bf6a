package engine

import (
	"cmp"
	"slices"

	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/snapshot"
)

// copyTotal adds up the progress of tables. How many bytes COPY moves of a table is
// known when it is done; before, it is estimated by its size on the source's disk, and by
// what tables and chunks that are done took there.
type copyTotal struct {
	tables map[*snapshot.Table]snapshot.Progress
	active []*snapshot.Table
	sum    copySums
}

// copySums are of one table, or of all.
type copySums struct {
	moved, rows int64
	disk        int64 // on the source
	// committed are the bytes of parts that are done, and what they take on the disk.
	committed, committedDisk int64
	done                     int
}

func sumsOf(p snapshot.Progress) copySums {
	s := copySums{moved: p.Result.Bytes, rows: p.Result.Rows, disk: p.Table.Bytes, committed: p.Committed}
	s.committedDisk = s.disk / int64(p.Chunks) * int64(p.ChunksDone)
	if p.State == snapshot.Done {
		s.committed, s.committedDisk, s.done = s.moved, s.disk, 1
	}
	return s
}

func (s *copySums) add(o copySums, sign int64) {
	s.moved += sign * o.moved
	s.rows += sign * o.rows
	s.disk += sign * o.disk
	s.committed += sign * o.committed
	s.committedDisk += sign * o.committedDisk
	s.done += int(sign) * o.done
}

// leastMeasured is how much must be done before its ratio is taken for the rest's.
const leastMeasured = 1 << 20

// total estimates how many bytes COPY will have moved in the end. The rest of the disk
// is taken to be like the part that is done.
func (s *copySums) total(ratio float64) int64 {
	if s.committedDisk >= leastMeasured {
		ratio = float64(s.committed) / float64(s.committedDisk)
	}
	return max(s.moved, s.committed+int64(float64(s.disk-s.committedDisk)*ratio))
}

// add takes a table's newest progress.
func (c *copyTotal) add(p snapshot.Progress) {
	last, known := c.tables[p.Table]
	if last.State == snapshot.Done {
		return
	}
	if known {
		c.sum.add(sumsOf(last), -1)
	}
	c.sum.add(sumsOf(p), 1)
	c.tables[p.Table] = p
	switch {
	case p.State == snapshot.Done:
		c.active = slices.DeleteFunc(c.active, func(t *snapshot.Table) bool { return t == p.Table })
	case p.State >= snapshot.Started && last.State < snapshot.Started:
		c.active = append(c.active, p.Table)
	}
}

// write puts the sums into a progress.
func (c *copyTotal) write(v *status.Progress) {
	v.TablesDone, v.TablesTotal = c.sum.done, len(c.tables)
	v.BytesCopied, v.RowsCopied, v.BytesTotal = c.sum.moved, c.sum.rows, c.sum.total(1)
	ratio := 1.0
	if c.sum.committedDisk >= leastMeasured {
		ratio = float64(c.sum.committed) / float64(c.sum.committedDisk)
	}
	v.Copying = make([]status.TableProgress, 0, len(c.active))
	for _, t := range c.active {
		p := c.tables[t]
		sums := sumsOf(p)
		v.Copying = append(v.Copying, status.TableProgress{
			Table: t.String(), BytesCopied: p.Result.Bytes, BytesTotal: sums.total(ratio), ChunksDone: p.ChunksDone, Chunks: p.Chunks,
		})
	}
	slices.SortStableFunc(v.Copying, func(a, b status.TableProgress) int { return cmp.Compare(b.BytesTotal, a.BytesTotal) })
}
