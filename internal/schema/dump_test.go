package schema_test

import (
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/schema"
)

// TestDump_DeadlockPasses has an application lock two tables in another order than pg_dump.
func TestDump_DeadlockPasses(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, 15).Database(t, "CREATE TABLE a (id int)", "CREATE TABLE b (id int)")
	application := pgtest.Connect(t, uri)
	// pg_dump is to be the victim.
	if _, err := application.Exec(t.Context(), "SET deadlock_timeout = '10min'; BEGIN; LOCK TABLE b"); err != nil {
		t.Fatal(err)
	}
	dumped := make(chan error, 1)
	bin := findPGBin(t, 15)
	go func() {
		_, _, err := schema.Dump(t.Context(), schema.Options{PGBin: bin, Conninfo: uri})
		dumped <- err
	}()
	pgtest.Eventually(t, "pg_dump waits for b", func() bool {
		return pgtest.Query(t, uri, "SELECT count(*) FROM pg_locks WHERE relation = 'b'::regclass AND NOT granted")[0][0] == "1"
	})
	if _, err := application.Exec(t.Context(), "LOCK TABLE a"); err != nil {
		t.Fatal(err)
	}
	if err := <-dumped; err == nil || !retry.Retryable(err) {
		t.Errorf("%+v is not tried again", err)
	}
}
