package demo

import "testing"

func TestChooseMajors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		source, target int
		installed      []int
		from, to       int // 0 is an error
	}{
		{"nothing is installed", 0, 0, nil, 18, 18},
		{"one is installed", 0, 0, []int{15}, 15, 15},
		{"oldest to newest", 0, 0, []int{14, 15, 17}, 14, 17},
		{"the source is given", 16, 0, []int{14, 15}, 16, 16},
		{"a newer one is installed", 16, 0, []int{14, 18}, 16, 18},
		{"the target is given", 0, 16, []int{15, 18}, 15, 16},
		{"only newer ones are installed", 0, 16, []int{18}, 16, 16},
		{"both are given", 13, 18, []int{15}, 13, 18},
		{"a downgrade", 17, 16, nil, 0, 0},
		{"too old", 12, 16, nil, 0, 0},
		{"too new", 0, 99, nil, 0, 0},
	} {
		from, to, err := chooseMajors(test.source, test.target, test.installed)
		if from != test.from || to != test.to || (err != nil) != (test.from == 0) {
			t.Errorf("%s: got %d to %d, %v, want %d to %d", test.name, from, to, err, test.from, test.to)
		}
	}
}
