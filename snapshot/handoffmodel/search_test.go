//go:build !race

package handoffmodel

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
	type link struct {
		from S
		step string
	}
	seen := make(map[S]link, 1<<16)
	queue := make([]S, 0, 1<<16)
	for _, s := range initial {
		if _, ok := seen[s]; !ok {
			seen[s] = link{}
			queue = append(queue, s)
		}
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		if wrong(s) {
			for l := seen[s]; l.step != ""; l = seen[s] {
				path = append([]string{l.step}, path...)
				s = l.from
			}
			return len(seen), path
		}
		next(s, func(step string, to S) {
			if _, ok := seen[to]; !ok {
				seen[to] = link{s, step}
				queue = append(queue, to)
			}
		})
	}
	return len(seen), nil
}
