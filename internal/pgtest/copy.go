package pgtest

import (
	"maps"
	"testing"
)

// Copy starts a server on a copy of the cluster's data; see [pgserver.Server.Copy].
// The cluster must be the test's own. The copy is stopped when the test ends.
func (c *Cluster) Copy(tb testing.TB, settings map[string]string) *Cluster {
	tb.Helper()
	server, err := c.Server.Copy(tb.Context(), settings)
	if err != nil {
		tb.Fatalf("copy PostgreSQL %d: %v\n%s", c.Major(), err, explain(err))
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the end of the copy's log:\n%s", server.LogTail(40))
		}
		if err := server.Stop(); err != nil {
			tb.Errorf("stop the copy: %v", err)
		}
	})
	return &Cluster{server}
}

// Standby starts a physical standby of the cluster, with settings of its own.
func (c *Cluster) Standby(tb testing.TB, settings map[string]string) *Cluster {
	tb.Helper()
	all := map[string]string{
		"primary_slot_name": "standby", "hot_standby_feedback": "on",
		"primary_conninfo": c.URI("postgres"),
	}
	maps.Copy(all, settings)
	Exec(tb, c.URI("postgres"), "SELECT pg_create_physical_replication_slot('standby', true)")
	return c.Copy(tb, all)
}
