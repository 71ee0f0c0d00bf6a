package validate

import (
	"context"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/schema"
)

// TestPreflight_SaysAtLeastAsMuch provokes what pg_migrate refuses or warns of and
// looks for each fact that its message has.
func TestPreflight_SaysAtLeastAsMuch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		id      string
		provoke func(s *scene) (facts []string)
	}{
		{"target.same_server", func(s *scene) []string {
			// The reference compares strings, which another name of the host defeats.
			s.target = strings.Replace(s.source, "127.0.0.1", "localhost", 1)
			return []string{"the same database"}
		}},
		{"target.version", func(s *scene) []string {
			s.target = pgtest.Server(t, 13).Database(t)
			return []string{"older", "15", "13"}
		}},
		{"walferry.programs", func(s *scene) []string {
			dir := t.TempDir()
			s.o.FindPrograms = func(ctx context.Context, major int) error {
				_, err := schema.FindPGBin(ctx, dir, major)
				return err
			}
			return []string{"pg_dump", "15", dir, "--pgbin"}
		}},
		{"target.connection", func(s *scene) []string {
			name := database(t, s.target)
			s.target = strings.Replace(s.target, name, "absent", 1)
			return []string{`database "absent" does not exist`, "target"}
		}},
		{"source.size", func(s *scene) []string {
			s.o.MaxTotalBytes = 1000
			return []string{"more than the 1000", "bytes"}
		}},
		{"target.languages", func(s *scene) []string {
			pgtest.Exec(t, s.source, "CREATE LANGUAGE foo HANDLER plpgsql_call_handler")
			return []string{"foo", "not installed on the target"}
		}},
		{"target.extensions", func(s *scene) []string {
			pgtest.Exec(t, s.source, "CREATE EXTENSION hstore; UPDATE pg_extension SET extversion = '99.1' WHERE extname = 'hstore'")
			pgtest.Exec(t, s.target, "CREATE EXTENSION hstore")
			return []string{"hstore", "has version 1.", "older than the source's 99.1"}
		}},
		{"target.extensions", func(s *scene) []string {
			pgtest.Exec(t, s.source, "CREATE EXTENSION hstore; UPDATE pg_extension SET extname = 'unheard_of' WHERE extname = 'hstore'")
			return []string{"unheard_of", "not available on the target"}
		}},
		{"target.extensions", func(s *scene) []string {
			pgtest.Exec(t, s.source, "CREATE EXTENSION hstore; UPDATE pg_extension SET extversion = '3.3.2next' WHERE extname = 'hstore'")
			return []string{"hstore", "offers version 1.", "older than the source's 3.3.2next"}
		}},
		{"target.extensions", func(s *scene) []string {
			pgtest.Exec(t, s.source, "CREATE EXTENSION pageinspect")
			name := role(t, s.target, "")
			pgtest.Exec(t, s.target, `GRANT CREATE ON DATABASE "`+database(t, s.target)+`" TO `+name)
			s.target = pgtest.As(t, s.target, name)
			return []string{"pageinspect", "needs a superuser", "permission denied to create extension", "CREATE EXTENSION"}
		}},
		{"target.roles", func(s *scene) []string {
			name := role(t, s.source, "SUPERUSER")
			pgtest.Exec(t, s.source, "ALTER TABLE orders OWNER TO "+name)
			other := pgtest.Server(t, 16)
			s.target = other.Database(t)
			s.target = pgtest.As(t, s.target, role(t, s.target, "CREATEROLE"))
			return []string{name, "does not exist on the target", "SUPERUSER"}
		}},
		{"source.large_objects", func(s *scene) []string {
			pgtest.Exec(t, s.source, "SELECT lo_create(0), lo_create(0)")
			return []string{"2 large objects", "replication does not carry"}
		}},
	} {
		t.Run(tc.id, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			facts := tc.provoke(s)
			var said strings.Builder
			for _, f := range s.preflight().Findings {
				if f.ID == tc.id {
					said.WriteString(f.Object + ": " + f.Message + ". " + f.Detail + " " + f.Hint + "\n")
				}
			}
			for _, fact := range facts {
				if !strings.Contains(said.String(), fact) {
					t.Errorf("%q is not said: %s", fact, said.String())
				}
			}
		})
	}
}
