package validate

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// service imitates a managed service as far as grants, roles and settings can: the
// role that its customers get, on a server whose superuser they are not.
type service struct {
	name string
	// admin are the attributes of the customer's role, marks what the service is known by.
	admin string
	marks []string
	// replication is how the service lets a role replicate; empty when the role may already.
	replication string
	rung        rung
}

var services = []service{
	{
		name: "DigitalOcean", admin: "CREATEDB CREATEROLE REPLICATION",
		marks: []string{"CREATE ROLE doadmin"}, rung: rungTakeDown,
	},
	{
		name: "Amazon RDS or Aurora", admin: "CREATEDB CREATEROLE",
		marks:       []string{"CREATE ROLE rds_superuser", "CREATE ROLE rds_replication", "GRANT rds_superuser TO @ADMIN", "GRANT SET ON PARAMETER session_replication_role TO rds_superuser"},
		replication: "GRANT rds_replication TO @ADMIN", rung: rungReplica,
	},
	{
		name: "Google Cloud SQL", admin: "CREATEDB CREATEROLE",
		marks:       []string{"CREATE ROLE cloudsqlsuperuser", "GRANT cloudsqlsuperuser TO @ADMIN", `ALTER DATABASE @DATABASE SET "cloudsql.logical_decoding" = 'on'`},
		replication: "ALTER USER @ADMIN WITH REPLICATION", rung: rungTakeDown,
	},
	{
		name: "Supabase", admin: "CREATEDB CREATEROLE REPLICATION BYPASSRLS",
		marks: []string{"CREATE ROLE supabase_admin SUPERUSER", "GRANT SET ON PARAMETER session_replication_role TO @ADMIN"}, rung: rungReplica,
	},
}

// TestServices asks as the role that customers of a service get, on either side: it
// gets the right verdict, and once it has what the hint says, nothing blocks.
func TestServices(t *testing.T) {
	t.Parallel()
	for _, s := range services {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			// Roles belong to the whole server, so each service has one of its own.
			cluster := pgtest.Start(t, 15, nil)
			source, target := cluster.Database(t), cluster.Database(t)
			run := func(uri, sql string) {
				t.Helper()
				pgtest.Exec(t, uri, strings.NewReplacer("@ADMIN", "customer", "@DATABASE", `"`+database(t, uri)+`"`).Replace(sql))
			}
			run(source, "CREATE ROLE customer LOGIN "+s.admin)
			for _, mark := range s.marks {
				run(source, mark)
			}
			for _, uri := range []string{source, target} {
				run(uri, "ALTER DATABASE @DATABASE OWNER TO @ADMIN")
			}
			customer := pgtest.As(t, source, "customer")
			pgtest.Exec(t, customer, "CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE SEQUENCE numbers; INSERT INTO orders VALUES (1, 'one')")
			sc := &scene{t: t, source: customer, target: pgtest.As(t, target, "customer"), o: PreflightOptions{Method: Auto}}

			first := sc.preflight()
			if !first.OK() {
				t.Errorf("blocked: %+v", first.Findings)
			}
			right := first.find("source.replication_right", "customer")
			switch {
			case s.replication == "" && (right != nil || first.Method != Replication):
				t.Errorf("method %s, %+v", first.Method, right)
			case s.replication != "":
				if right == nil || right.Severity != Warning || first.Method != Dump || !strings.Contains(first.Reason, "source.replication_right") ||
					!strings.Contains(right.Detail, s.name) || !strings.Contains(right.Hint, strings.ReplaceAll(s.replication, "@ADMIN", `"customer"`)) {
					t.Errorf("method %s because %q, %+v", first.Method, first.Reason, right)
				}
				run(source, s.replication)
				second := sc.preflight()
				if !second.OK() || second.Method != Replication || second.find("source.replication_right", "customer") != nil {
					t.Errorf("method %s after %s: %+v", second.Method, s.replication, second.Findings)
				}
			}
			if found := first.find("target.rung", "customer") != nil; found != (s.rung != rungReplica) {
				t.Errorf("the rung is told: %v", found)
			}

			// A table of another role, as migrations by an administrator's tools leave them.
			pgtest.Exec(t, source, "CREATE TABLE foreigners (id int PRIMARY KEY)")
			sc.o.Method = Replication
			report := sc.preflight()
			for _, id := range []string{"source.table_owner", "source.select"} {
				if f := report.find(id, "public.foreigners"); f == nil || f.Severity != Error || !strings.Contains(f.Hint, `TO "customer";`) {
					t.Errorf("%s: %+v", id, f)
				}
			}
		})
	}
}
