package workload_test

import (
	"strconv"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// TestLoadUgly loads the schema on the oldest and the newest version.
func TestLoadUgly(t *testing.T) {
	t.Parallel()
	for _, major := range []int{13, 18} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			uri := pgtest.Server(t, major).Database(t)
			if err := workload.LoadUgly(t.Context(), uri, 1); err != nil {
				t.Fatal(err)
			}
			empty := pgtest.Query(t, uri, `SELECT c.oid::regclass FROM pg_class c
				WHERE relkind = 'r' AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
				AND (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ONLY ' || oid::regclass, false, true, '')))[1]::text = '0'`)
			if len(empty) > 0 {
				t.Fatalf("tables without rows: %v", empty)
			}
		})
	}
}
