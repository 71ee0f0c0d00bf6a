package proof_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCrash_FewRights kills walferry at some places of the scenarios in which it has
// no rights on the target but those that the documents list.
func TestCrash_FewRights(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	servers.tenants = true
	r := rand.New(rand.NewPCG(*seed, 1))
	for _, c := range scenarios {
		if c.name != "stream" && c.name != "lanes" && c.name != "cutover" {
			continue
		}
		hits := c.trace(t, servers)
		names := slices.Sorted(maps.Keys(hits))
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names[:min(len(names), 3*(1+*long))] {
			failpoint := fmt.Sprintf("%s=kill@%d", name, 1+r.IntN(hits[name]))
			t.Run(c.name+"/"+failpoint, func(t *testing.T) { c.crash(t, servers.scene(t), failpoint) })
		}
	}
}
