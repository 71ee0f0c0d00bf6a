package engine

import (
	"slices"
	"testing"

	"github.com/walferry/walferry/internal/target"
)

func TestAssign(t *testing.T) {
	t.Parallel()
	table := func(group uint32, bytes int64, lane int) target.LaneTable {
		return target.LaneTable{Group: group, Bytes: bytes, Lane: lane}
	}
	const none = target.NoLane
	for _, c := range []struct {
		name   string
		tables []target.LaneTable
		lanes  int
		keep   bool
		want   []int
		moves  bool
	}{
		{"the largest are spread", []target.LaneTable{table(1, 10, none), table(2, 90, none), table(3, 50, none), table(4, 45, none)}, 2, false, []int{0, 0, 1, 1}, false},
		{"a group shares a lane", []target.LaneTable{table(1, 10, none), table(2, 30, none), table(1, 25, none)}, 2, false, []int{0, 1, 0}, false},
		{"tables that the target lacks are no group", []target.LaneTable{table(0, 10, none), table(0, 10, none)}, 2, false, []int{0, 1}, false},
		{"a new table goes where there is least", []target.LaneTable{table(1, 10, 0), table(2, 90, 1), table(3, 50, none)}, 2, true, []int{0, 1, 0}, false},
		{"a new table goes to its group", []target.LaneTable{table(1, 10, 0), table(2, 90, 1), table(2, 50, none)}, 2, true, []int{0, 1, 1}, false},
		{"groups that become one", []target.LaneTable{table(1, 10, 0), table(1, 90, 1)}, 2, true, []int{1, 1}, true},
		{"another number", []target.LaneTable{table(1, 10, 2), table(2, 90, 1), table(3, 5, 0)}, 1, false, []int{0, 0, 0}, true},
		{"more lanes than tables", []target.LaneTable{table(1, 10, 0)}, 8, false, []int{0}, false},
	} {
		moves := assign(c.tables, c.lanes, c.keep)
		var got []int
		for _, table := range c.tables {
			got = append(got, table.Lane)
		}
		if !slices.Equal(got, c.want) || moves != c.moves {
			t.Errorf("%s: %v, moves %t", c.name, got, moves)
		}
	}
}
