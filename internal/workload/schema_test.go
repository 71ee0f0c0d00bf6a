package workload_test

import (
	"fmt"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// TestRandomSchema makes random schemas on the oldest and the newest version, and
// writes to them.
func TestRandomSchema(t *testing.T) {
	t.Parallel()
	for _, major := range []int{13, 15, 18} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(major, " seed ", seed), func(t *testing.T) {
				t.Parallel()
				schema := workload.RandomSchema(seed, major, 8, seed%2 == 1)
				uri := pgtest.Server(t, major).Database(t, schema.Statements...)
				g := workload.New(uri, workload.Options{Seed: seed, Sessions: 2, LargeEvery: 20, LargeRows: 100})
				if _, err := g.Record(t.Context(), 60); err != nil {
					t.Fatalf("%+v", err)
				}
				if stats := g.Stats(); stats.Inserts == 0 || stats.Updates == 0 || stats.Deletes == 0 {
					t.Errorf("%+v", stats)
				}
			})
		}
	}
}
