package catalog

import (
	"slices"
	"strings"

	"github.com/walferry/walferry/internal/sqltext"
)

const mostNearNames = 3

// nearNames returns the existing names, quoted, that may be meant by a pattern.
// A name with a schema holds a dot after it.
func nearNames(pattern string, names []string) []string {
	wanted := strings.ToLower(strings.ReplaceAll(pattern, `"`, ""))
	type near struct {
		name     string
		distance int
	}
	var found []near
	for _, name := range names {
		schema, last, qualified := strings.Cut(name, ".")
		quoted := sqltext.Ident(schema)
		if qualified {
			quoted = sqltext.Ident(schema, last)
		} else {
			last = name
		}
		d := min(distance(wanted, strings.ToLower(name)), distance(wanted, strings.ToLower(last)))
		if d <= max(1, len(last)/3) {
			found = append(found, near{quoted, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.distance - b.distance })
	var nearest []string
	for _, n := range found[:min(len(found), mostNearNames)] {
		nearest = append(nearest, n.name)
	}
	return nearest
}

// distance is the number of bytes to insert, delete or replace.
func distance(a, b string) int {
	if abs(len(a)-len(b)) > mostNearNames+len(b)/3 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func abs(n int) int { return max(n, -n) }
