package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/target"
)

// align finds where the lanes stand, and makes them those that the options ask for.
// Where that moves tables between lanes that stand at different positions, as a
// killed run leaves them, it changes nothing and returns the position at which
// the lanes that there are have to meet first.
func (e *engine) align(ctx context.Context) (lanes []decoder.LSN, meet decoder.LSN, err error) {
	c, err := target.LoadCheckpoint(ctx, e.dst, e.m.Name)
	if err != nil {
		return nil, 0, err
	}
	tables, err := target.LaneTables(ctx, e.dst, e.m.Name, e.o.ApplyJobs > 1)
	if err != nil {
		return nil, 0, err
	}
	furthest := slices.Max(c.Lanes)
	together := furthest == c.LSN
	if !together {
		for i := range tables {
			// It has been streamed in the first lane, before the ledger knew it: what
			// is copied is copied later than any lane is. See [routes.route].
			if t := &tables[i]; t.Lane == target.NoLane && t.Watermark < furthest {
				t.Lane = 0
			}
		}
	}
	moves := assign(tables, e.o.ApplyJobs, len(c.Lanes) == e.o.ApplyJobs)
	if !together && (moves || len(c.Lanes) != e.o.ApplyJobs) {
		e.o.Logger.InfoContext(ctx, "lanes change; those that there are meet first", "lsn", furthest.String())
		return c.Lanes, furthest, nil
	}
	failpoint.Hit("lanes: before they are assigned")
	if err := target.SetLanes(ctx, e.dst, e.m.Name, e.m.Epoch, e.o.ApplyJobs, tables); err != nil {
		return nil, 0, err
	}
	failpoint.Hit("lanes: assigned")
	lanes = c.Lanes
	if len(lanes) != e.o.ApplyJobs {
		lanes = slices.Repeat([]decoder.LSN{c.LSN}, e.o.ApplyJobs)
	}
	return lanes, 0, nil
}

// assign gives every table one of n lanes, all tables of a group the same. With keep,
// tables stay where they are as far as that is possible, else all are assigned anew:
// the largest group first, each to the lane that has the least. It reports whether a
// table leaves its lane.
func assign(tables []target.LaneTable, n int, keep bool) (moves bool) {
	type group struct {
		lane    int
		bytes   int64
		largest int64 // of the tables that have a lane
	}
	groups, of := map[uint32]*group{}, make([]*group, len(tables))
	var order []*group
	for i := range tables {
		t := &tables[i]
		g := groups[t.Group]
		if g == nil || t.Group == 0 {
			g = &group{lane: target.NoLane}
			groups[t.Group] = g
			order = append(order, g)
		}
		of[i] = g
		if n == 1 || t.Key == nil { // else all lanes share its load
			g.bytes += t.Bytes
		}
		if keep && t.Lane >= 0 && t.Lane < n && t.Bytes > g.largest {
			g.lane, g.largest = t.Lane, t.Bytes
		}
	}
	load := make([]int64, n)
	for _, g := range order {
		if g.lane != target.NoLane {
			load[g.lane] += g.bytes
		}
	}
	slices.SortStableFunc(order, func(a, b *group) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, g := range order {
		if g.lane == target.NoLane {
			g.lane = slices.Index(load, slices.Min(load))
			load[g.lane] += g.bytes
		}
	}
	for i := range tables {
		t := &tables[i]
		before := t.Lane
		if lane := of[i].lane; lane != t.Lane {
			moves = moves || t.Lane != target.NoLane
			t.Lane = lane
		}
		var split []string
		if n > 1 {
			split = t.Key
		}
		if !slices.Equal(split, t.Split) {
			moves = moves || before != target.NoLane
			t.Split = split
		}
	}
	return moves
}
