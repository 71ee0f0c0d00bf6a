package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// TestValue_EveryType writes to a table that has a column of each type that random schemas
// draw, none of which may be NULL: a type of which no value can be made gets no row.
func TestValue_EveryType(t *testing.T) {
	t.Parallel()
	for _, major := range []int{13, 18} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			kinds := slices.Concat(keyTypes, otherTypes, narrowTypes)
			if major >= 14 {
				kinds = append(kinds, newTypes...)
			}
			columns := make([]string, len(kinds))
			for i, kind := range kinds {
				columns[i] = fmt.Sprintf("c%d %s NOT NULL", i, kind)
			}
			uri := pgtest.Server(t, major).Database(t, append(slices.Clone(preamble), "CREATE TABLE every ("+strings.Join(columns, ", ")+")")...)
			if _, err := New(uri, Options{Seed: 1, Sessions: 1, Skip: []string{"public.audit"}}).Record(t.Context(), 20); err != nil {
				t.Fatalf("%+v", err)
			}
			if n := pgtest.Query(t, uri, "SELECT count(*) FROM every")[0][0]; n == "0" {
				t.Error("no row was written")
			}
		})
	}
}
