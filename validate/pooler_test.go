package validate

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// TestPreflight_SeesPgBouncer runs PgBouncers of before and after they learned to
// pass replication connections, on either side and in either mode of pooling.
func TestPreflight_SeesPgBouncer(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, 15)
	for _, suite := range []string{"bookworm", "trixie"} {
		for _, mode := range []string{"session", "transaction"} {
			t.Run(suite+" "+mode, func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				port, version := server.PgBouncer(t, suite, mode)
				address := "127.0.0.1:" + strconv.Itoa(port)
				direct := s.source
				s.source = through(t, direct, address)
				f := s.preflight().find("source.pooler", address)
				if f == nil || f.Severity != Error {
					t.Errorf("%s as source: %+v", version, f)
				}
				s.source, s.target = direct, through(t, s.target, address)
				report := s.preflight()
				if f = report.find("target.pooler", address); f == nil || !strings.Contains(f.Hint, "own address") {
					t.Errorf("%s as target: %+v", version, f)
				}
				if report.find("source.size", database(t, direct)) == nil {
					t.Error("the source is not asked when only the target has a pooler")
				}
				if report.Method != "" {
					t.Errorf("method %s is decided with a side unknown", report.Method)
				}
				t.Log(version)
			})
		}
	}
}

func TestDirectAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		host string
		port int
		user string
		want string
	}{
		{"db-1.b.db.ondigitalocean.com", 25061, "doadmin", "db-1.b.db.ondigitalocean.com:25060"},
		{"aws-0-eu-central-1.pooler.supabase.com", 6543, "postgres.abcd", "db.abcd.supabase.co:5432"},
		{"aws-0-eu-central-1.pooler.supabase.com", 5432, "x", "db.PROJECT.supabase.co:5432"},
		{"ep-cool-rain-123-pooler.eu-central-1.aws.neon.tech", 5432, "u", "ep-cool-rain-123.eu-central-1.aws.neon.tech:5432"},
		{"x.postgres.database.azure.com", 6432, "u", "x.postgres.database.azure.com:5432"},
		{"p.abc.db.postgresbridge.com", 5431, "u", "p.abc.db.postgresbridge.com:5432"},
		{"10.0.0.1", 9999, "u", "25060 instead of 25061"},
	} {
		if got := directAddress(tc.host, tc.port, tc.user); !strings.Contains(got, tc.want) {
			t.Errorf("%s:%d: %s", tc.host, tc.port, got)
		}
	}
}

func through(t *testing.T, uri, address string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = address
	return u.String()
}
