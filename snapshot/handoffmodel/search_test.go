//go:build !race

package handoffmodel

import "slices"

// row is the content of one key: 0 is "no row", 1 to 4 are the values of two
// one-bit columns, a plain and b stored out of line: an UPDATE that leaves b
// alone does not carry it.
type row = int8

const rows = 5

func colA(r row) row     { return (r - 1) & 1 }
func colB(r row) row     { return (r - 1) >> 1 }
func mkRow(a, b row) row { return 1 + a + b<<1 }

// search visits every state that can be reached from the initial ones, nearest
// first. It returns how many there are and, when a wrong one exists, the names of
// the steps of a shortest run to it.
func search[S comparable](initial []S, next func(S, func(step string, to S)), wrong func(S) bool) (states int, path []string) {
	type visit struct {
		state S
		from  int32 // the visit before it, -1 for an initial state
		step  string
	}
	seen := make(map[S]struct{}, 1<<16)
	var visits []visit
	add := func(v visit) {
		if _, ok := seen[v.state]; !ok {
			seen[v.state] = struct{}{}
			visits = append(visits, v)
		}
	}
	for _, s := range initial {
		add(visit{state: s, from: -1})
	}
	for i := 0; i < len(visits); i++ { //nolint:intrange // visits grows meanwhile
		s := visits[i].state
		if wrong(s) {
			for v := visits[i]; v.from >= 0; v = visits[v.from] {
				path = append(path, v.step)
			}
			slices.Reverse(path)
			return len(seen), path
		}
		next(s, func(step string, to S) { add(visit{to, int32(i), step}) })
	}
	return len(seen), nil
}
