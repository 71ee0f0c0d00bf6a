package target_test

import (
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/target"
)

// TestFindRung_AivenExtras stands on the function of that extension where the role
// may not set the parameter, and leaves the session as it was.
func TestFindRung_AivenExtras(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, 15).Database(t, "CREATE ROLE rung_aiven", `CREATE SCHEMA aiven_extras; GRANT USAGE ON SCHEMA aiven_extras TO rung_aiven;
		CREATE FUNCTION aiven_extras.session_replication_role(role text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
		AS $$BEGIN EXECUTE format('SET SESSION session_replication_role = %I', role); RETURN role; END$$`)
	conn := pgtest.Connect(t, uri)
	if _, err := conn.Exec(t.Context(), "SET SESSION AUTHORIZATION rung_aiven"); err != nil {
		t.Fatal(err)
	}
	rung, err := target.FindRung(t.Context(), conn)
	if err != nil || rung != target.AivenExtras {
		t.Fatalf("rung %q, %v", rung, err)
	}
	for _, want := range []string{"origin", "replica"} {
		var got string
		if err := conn.QueryRow(t.Context(), "SHOW session_replication_role").Scan(&got); err != nil || got != want {
			t.Errorf("session_replication_role is %s, want %s, %v", got, want, err)
		}
		if err := rung.Prepare(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
}
