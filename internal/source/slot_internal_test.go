package source

import (
	"strings"
	"testing"
)

func TestCreateCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		major   int
		options SlotOptions
		want    string
	}{
		{13, SlotOptions{}, `CREATE_REPLICATION_SLOT "s" LOGICAL pgoutput NOEXPORT_SNAPSHOT`},
		{14, SlotOptions{Temporary: true, Export: true}, `CREATE_REPLICATION_SLOT "s" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`},
		{14, SlotOptions{TwoPhase: true}, "error: two-phase slots need PostgreSQL 15, the source has 14"},
		{15, SlotOptions{Export: true, TwoPhase: true}, `CREATE_REPLICATION_SLOT "s" LOGICAL pgoutput (SNAPSHOT 'export', TWO_PHASE true)`},
		{16, SlotOptions{Failover: true}, "error: failover slots need PostgreSQL 17, the source has 16"},
		{18, SlotOptions{Failover: true}, `CREATE_REPLICATION_SLOT "s" LOGICAL pgoutput (SNAPSHOT 'nothing', FAILOVER true)`},
	} {
		got, err := createCommand(c.major, "s", c.options)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%d %+v: got %s, want %s", c.major, c.options, got, c.want)
		}
	}
	if got := quoteName(`a"b`); strings.Count(got, `"`) != 4 {
		t.Errorf("quoted %s", got)
	}
}
