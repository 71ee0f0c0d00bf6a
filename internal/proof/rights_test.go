package proof_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCrash_FewRights kills walferry at some places of the scenarios in which it has
// no rights on the target but those that the documents list; in the bounded form in one
// of the scenarios.
func TestCrash_FewRights(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	servers.tenants = true
	r := rand.New(rand.NewPCG(*seed, 1))
	tenancies := slices.DeleteFunc(slices.Clone(scenarios), func(c scenario) bool {
		return c.name != "stream" && c.name != "lanes" && c.name != "cutover"
	})
	for i, c := range tenancies {
		if *long == 0 && uint64(i) != *seed%uint64(len(tenancies)) {
			continue // in its turn
		}
		hits := c.trace(t, servers)
		names := slices.Sorted(maps.Keys(hits))
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		t.Run("kill", func(t *testing.T) {
			for _, name := range names[:min(len(names), 3*(1+*long))] {
				failpoint := fmt.Sprintf("%s=kill@%d", name, 1+r.IntN(hits[name]))
				t.Run(c.name+"/"+failpoint, func(t *testing.T) {
					t.Parallel()
					c.crash(t, servers.scene(t), failpoint)
				})
			}
		})
	}
}
