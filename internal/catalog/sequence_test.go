package catalog_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/catalog"
)

func TestSequences(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, shopSQL)
			sequences, err := catalog.Sequences(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, s := range sequences {
				lines = append(lines, fmt.Sprintf("%s %s %d %d..%d %+d %t of %s %s %t",
					s.Name, s.Type, s.Start, s.Min, s.Max, s.Increment, s.Cycle, s.Table, s.Column, s.Identity))
			}
			want := []string{
				"app.Free Seq smallint 50 -100..100 -5 true of .  false",
				"app.customer_id_seq bigint 1 1..9223372036854775807 +1 false of app.customer id true",
				"app.serial_id_seq integer 1 1..2147483647 +1 false of app.serial id false",
			}
			if !slices.Equal(lines, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
			set := []catalog.SequenceValue{
				{Name: sequences[0].Name, LastValue: -20, IsCalled: true},
				{Name: sequences[1].Name, LastValue: 77, IsCalled: false},
			}
			if err := catalog.SetSequences(t.Context(), conn, set); err != nil {
				t.Fatal(err)
			}
			values, err := catalog.SequenceValues(t.Context(), conn, sequences)
			if err != nil {
				t.Fatal(err)
			}
			set = append(set, catalog.SequenceValue{Name: sequences[2].Name, LastValue: 1, IsCalled: false})
			if !slices.Equal(values, set) {
				t.Errorf("got %v, want %v", values, set)
			}
			if err := catalog.SetSequences(t.Context(), conn, []catalog.SequenceValue{
				{Name: catalog.Name{Schema: "app", Name: "absent"}, LastValue: 1},
			}); err == nil || !strings.Contains(err.Error(), "absent") {
				t.Errorf("an absent sequence is named: %v", err)
			}
		})
	}
}
