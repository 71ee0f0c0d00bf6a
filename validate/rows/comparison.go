package rows

import (
	"fmt"
	"slices"
	"sync"
)

// comparison is one table on its way to a verdict.
type comparison struct {
	table          *Table
	source, target relation
	form           form
	verdict        Verdict

	mu sync.Mutex
	// left counts the parts of both sides that are not read.
	left int
	// rewritten reports that a part could not be read in this snapshot.
	rewritten bool
	sums      [2]map[int32]sum
}

// The sides, as indexes.
const (
	onSource = 0
	onTarget = 1
)

// newComparison decides how a table is compared, or why it cannot be.
func newComparison(t *Table, source, target relation, converted bool) *comparison {
	c := &comparison{table: t, source: source, target: target, verdict: Verdict{Table: t}}
	c.sums[onSource], c.sums[onTarget] = map[int32]sum{}, map[int32]sum{}
	columns := t.Columns
	if columns == nil {
		columns = source.columns
	}
	c.form = form{columns: columns, where: t.Where, converted: converted}
	switch {
	case source.oid == 0:
		c.verdict.Problem = "the source has no such table"
	case target.oid == 0:
		c.verdict.Problem = "the target has no such table"
	}
	for _, name := range columns {
		if c.verdict.Problem != "" {
			break
		}
		if !slices.Contains(source.columns, name) {
			c.verdict.Problem = fmt.Sprintf("the source has no column %q", name)
		} else if !slices.Contains(target.columns, name) {
			c.verdict.Problem = fmt.Sprintf("the target has no column %q", name)
		}
	}
	// The target's key names rows as well, should the source have none.
	for _, key := range [][]string{source.key, target.key} {
		within := !slices.ContainsFunc(key, func(name string) bool { return !slices.Contains(columns, name) })
		if len(key) > 0 && within {
			c.form.key = key
			break
		}
	}
	return c
}

// add takes over what was read of a part on one side; it reports whether that was the last.
func (c *comparison) add(side int, sums map[int32]sum, rewritten bool) (last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for bucket, s := range sums {
		total := c.sums[side][bucket]
		total.add(s)
		c.sums[side][bucket] = total
	}
	c.rewritten = c.rewritten || rewritten
	c.left--
	return c.left == 0
}

// judge counts the rows and returns the buckets that differ. Call it after the last part.
func (c *comparison) judge() (differing []int32) {
	for bucket, s := range c.sums[onSource] {
		c.verdict.SourceRows += s.rows
		if c.sums[onTarget][bucket] != s {
			differing = append(differing, bucket)
		}
	}
	for bucket, s := range c.sums[onTarget] {
		c.verdict.TargetRows += s.rows
		if _, both := c.sums[onSource][bucket]; !both {
			differing = append(differing, bucket)
		}
	}
	c.sums = [2]map[int32]sum{}
	slices.Sort(differing)
	return differing
}
