package proof_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// verified is a URI that connects by a host's name and trusts one certificate.
func verified(t *testing.T, uri, host, certificate string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = host + ":" + u.Port()
	u.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {certificate}}.Encode()
	return u.String()
}

// TestSecurity_WrongCertificate connects to servers whose certificate is another one or
// for another host: nothing is done, and the error says which side it is. With the right
// ones, the whole migration runs by TLS.
func TestSecurity_WrongCertificate(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	s := servers.scene(t)
	from, to := servers.source.ServeTLS(t), servers.target.ServeTLS(t)
	for _, test := range []struct{ name, source, target, says string }{
		{"another source", verified(t, s.source, "localhost", to), verified(t, s.target, "localhost", to), "source"},
		{"another target", verified(t, s.source, "localhost", from), verified(t, s.target, "localhost", from), "target"},
		{"a source by another name", verified(t, s.source, "127.0.0.1", from), verified(t, s.target, "localhost", to), "source"},
		{"a target by another name", verified(t, s.source, "localhost", from), verified(t, s.target, "127.0.0.1", to), "target"},
	} {
		m := walferry(t, "", "migrate", "-s", test.source, "-t", test.target, "--max-replication-lag", "0")
		mustExit(t, m, 1)
		for _, want := range []string{"walferry: error:", test.says, "certificate", "walferry: hint:"} {
			if !strings.Contains(m.Stderr.String(), want) {
				t.Errorf("%s: the error does not say %q:\n%s", test.name, want, m.Stderr.String())
			}
		}
		if strings.Contains(m.Stderr.String(), "retrying") {
			t.Errorf("%s: it was tried again:\n%s", test.name, m.Stderr.String())
		}
		if phase := s.phase(t); phase != "" {
			t.Errorf("%s: the migration is %s", test.name, phase)
		}
	}
	by := s
	by.source, by.target = verified(t, s.source, "localhost", from), verified(t, s.target, "localhost", to)
	// Nobody gets in by any other way.
	pgtest.Exec(t, servers.source.URI("postgres"), "ALTER SYSTEM SET log_connections = on", "SELECT pg_reload_conf()")
	pgtest.Exec(t, servers.target.URI("postgres"), "ALTER SYSTEM SET log_connections = on", "SELECT pg_reload_conf()")
	finishMigration(t, by)
	for side, log := range map[string]string{"source": servers.source.LogTail(10000), "target": servers.target.LogTail(10000)} {
		sessions := 0
		for line := range strings.Lines(log) {
			if strings.Contains(line, "connection authorized") && strings.Contains(line, "application_name=walferry") {
				sessions++
				if !strings.Contains(line, "SSL enabled") {
					t.Errorf("a session of the %s without TLS: %s", side, line)
				}
			}
		}
		if sessions == 0 {
			t.Errorf("the %s logged no session", side)
		}
	}
	s.equal(t, true)
}
