package conninfo_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/conninfo"
)

// cleanEnvironment takes away what the developer's own environment says.
func cleanEnvironment(t *testing.T) string {
	t.Helper()
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	return home
}

func TestParse_TakesWhatPsqlTakes(t *testing.T) {
	cleanEnvironment(t)
	for _, c := range []struct{ conn, want string }{
		{"postgresql://u@h/d", "host=h port=5432 dbname=d user=u"},
		{"postgres://u:p@h:5433/d?sslmode=require&application_name=x", "host=h port=5433 dbname=d user=u"},
		{"postgres://u%40x:p%40%2F@h/d%20b", "host=h port=5432 dbname='d b' user=u@x"},
		{"postgres://u@h1:1,h2,[::1]:3/d", "host=h1,h2,::1 port=1,5432,3 dbname=d user=u"},
		{"postgres://u@h1,h2:2/d", "host=h1,h2 port=5432,2 dbname=d user=u"},
		{"postgres://u@%2Fvar%2Frun/d", "host=/var/run port=5432 dbname=d user=u"},
		{"postgres:///d?host=/tmp/x&user=u&port=7", "host=/tmp/x port=7 dbname=d user=u"},
		{"postgres://u@h/d?ssl=true", "host=h port=5432 dbname=d user=u"},
		{" postgres://u@h/d\n", "host=h port=5432 dbname=d user=u"},
		{"postgres://u@h", "host=h port=5432 dbname=u user=u"},
		{"host=h user=u dbname=d", "host=h port=5432 dbname=d user=u"},
		{`host = h  user='u x' dbname='it\'s \\ it' port=1`, `host=h port=1 dbname='it\'s \\ it' user='u x'`},
		{"host=a,b port=1,2 user=u dbname=d", "host=a,b port=1,2 dbname=d user=u"},
		{"hostaddr=127.0.0.9 user=u dbname=d", "host=127.0.0.9 port=5432 dbname=d user=u"},
		{"host=h hostaddr=127.0.0.9 user=u dbname=d", "host=h port=5432 dbname=d user=u"},
		{`host=h user=u dbname=a\ b`, "host=h port=5432 dbname='a b' user=u"},
	} {
		i, err := conninfo.Parse("source", c.conn)
		if err != nil {
			t.Errorf("%s: %v", c.conn, err)
			continue
		}
		if got := i.String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.conn, got, c.want)
		}
	}
}

func TestParse_ToleratesParametersOfLibpqAlone(t *testing.T) {
	cleanEnvironment(t)
	const only = "keepalives=1 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=1000 " +
		"gssencmode=disable channel_binding=prefer load_balance_hosts=disable requirepeer=x sslcompression=0 " +
		"fallback_application_name=x client_encoding=LATIN1 ssl_min_protocol_version=TLSv1.2"
	i, err := conninfo.Parse("target", "host=h user=u dbname=d "+only)
	if err != nil {
		t.Fatal(err)
	}
	want := "[gssencmode load_balance_hosts requirepeer sslcompression tcp_user_timeout]"
	if got := fmt.Sprint(i.Ignored()); got != want {
		t.Errorf("ignored: got %s, want %s", got, want)
	}
}

func TestParse_ReadsServicePasswordFileAndEnvironment(t *testing.T) {
	home := cleanEnvironment(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".pg_service.conf", "[mine]\nhost=own\ndbname=d\nkeepalives=0\n")
	write("pg_service.conf", "[shared]\nhost=system\ndbname=d\n")
	t.Setenv("PGUSER", "env")
	t.Setenv("PGSYSCONFDIR", home)
	for conn, want := range map[string]string{
		"service=mine":                       "host=own port=5432 dbname=d user=env",
		"service=shared":                     "host=system port=5432 dbname=d user=env",
		"service=mine user=u port=9":         "host=own port=9 dbname=d user=u",
		"postgresql:///x?service=mine":       "host=own port=5432 dbname=x user=env",
		"postgresql://h":                     "host=h port=5432 dbname=env user=env",
		"postgresql://someone@":              "",
		"host='' hostaddr='' service=shared": "",
	} {
		i, err := conninfo.Parse("source", conn)
		if err != nil {
			t.Errorf("%s: %v", conn, err)
		} else if got := i.String(); want != "" && got != want {
			t.Errorf("%s: got %s, want %s", conn, got, want)
		}
	}
	if _, err := conninfo.Parse("source", "service=none"); err == nil || !strings.Contains(err.Error(), "source") {
		t.Errorf("an unknown service: %v", err)
	}
}

func TestParse_RefusesWithHint(t *testing.T) {
	cleanEnvironment(t)
	for _, c := range []struct{ conn, message, hint string }{
		{"", "parse source connection string: it is empty", "postgresql://"},
		{"app", "neither a URI nor key=value", "dbname=NAME"},
		{"mysql://u:secret@h/d", `"mysql" is not a scheme`, "postgresql://"},
		{"jdbc:postgresql://h/d", `"jdbc:postgresql" is not a scheme`, "postgresql://"},
		{"host=h colour=red", `unknown parameter "colour"`, "options=-c"},
		{"postgres://h/d?schema=public", `unknown parameter "schema"`, "own tools"},
		{"host=h port=x", "invalid port", ""},
		{"host=h sslmode=never", "sslmode is invalid", ""},
		{"host=h sslrootcert=/none", "/none", ""},
		{"host=a,b,c port=1,2", "2 port numbers to 3 hosts", ""},
		{"postgres://u@[::1/d", "bracketed address", "[2001:db8::1]"},
		{"host=h application_name='x", "does not end", `\'`},
		{"postgres://u%zz@h/d", "percent sign", "%40"},
		{"postgres://u%00@h/d", "percent sign", ""},
		{"host=h\x00", "NUL", ""},
	} {
		_, err := conninfo.Parse("source", c.conn)
		if err == nil {
			t.Errorf("%q was taken", c.conn)
			continue
		}
		if !strings.Contains(err.Error(), c.message) || !strings.Contains(errors.FlattenHints(err), c.hint) {
			t.Errorf("%q: %v\nhint: %s", c.conn, err, errors.FlattenHints(err))
		}
		if strings.Contains(fmt.Sprintf("%+v", err), "secret") {
			t.Errorf("%q: the password is shown: %+v", c.conn, err)
		}
	}
}

func TestParse_NeverShowsAPassword(t *testing.T) {
	cleanEnvironment(t)
	// Each piece would be recognised in an error.
	for _, password := range []string{
		`p@sswrd1 w%rdtwo'\three`, `alpha:beta@gamma/delta`, `alpha/beta?gamma=delta`, `alpha beta=gamma`,
		`alpha' beta='gamma`, `alpha#beta`, `%alpha%beta`, `alpha@beta:99/gamma`, `alpha&beta=gamma&delta`, `[alpha]:beta`,
	} {
		for _, form := range []string{
			"postgres://user:%s@host/db", "postgresql://user:%s@host:5432/db?sslmode=require", "postgres://host/db?user=u&password=%s&port=1",
			"host=h password=%s dbname=d", "password=%s", "host=h password='%s' dbname=d", "mysql://user:%s@host/db", "%s",
			"user:%s@host/db", "host=h sslpassword=%s port=x", "postgres://host/db?sslpassword=%s&x=y",
		} {
			conn := fmt.Sprintf(form, password)
			i, err := conninfo.Parse("source", conn)
			shown := fmt.Sprintf("%v %+v %s", err, err, strings.Join(errors.GetAllHints(err), " "))
			if err == nil {
				child, _ := i.Child()
				// What libpq's rules make a host, database or user is no password.
				shown = child
				for part := range strings.FieldsSeq(i.String()) {
					_, value, _ := strings.Cut(part, "=")
					shown = strings.ReplaceAll(shown, strings.Trim(value, "'"), "")
				}
			}
			for _, piece := range strings.FieldsFunc(password, func(r rune) bool { return strings.ContainsRune(`@:/?=&#%'\[] `, r) }) {
				if len(piece) > 3 && strings.Contains(shown, piece) {
					t.Errorf("%s shows %q: %s", conn, piece, shown)
				}
			}
		}
	}
}

func TestChild_CarriesThePasswordByEnvironmentOnly(t *testing.T) {
	cleanEnvironment(t)
	const password = `p@ss w%rd'\`
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
	for _, conn := range []string{
		"postgres://u:" + url.QueryEscape("p@ss") + "%20" + url.QueryEscape(`w%rd'\`) + "@h:1/d?sslmode=require&application_name=x",
		"host=h port=1 user=u dbname=d sslmode=require sslpassword=x password='" + quoted + "'",
	} {
		i, err := conninfo.Parse("source", conn)
		if err != nil {
			t.Fatal(err)
		}
		child, env := i.Child()
		if fmt.Sprint(env) != "[PGPASSWORD="+password+"]" {
			t.Errorf("%s: environment %q", conn, env)
		}
		for _, part := range []string{"host=h", "port=1", "user=u", "dbname=d", "sslmode=require"} {
			if !strings.Contains(child, part) {
				t.Errorf("%s: %q lacks %s", conn, child, part)
			}
		}
		if strings.Contains(child, "password") || strings.Contains(child, "application_name") {
			t.Errorf("%s: %q", conn, child)
		}
		for _, shown := range []string{i.String(), fmt.Sprintf("%v %+v %#v %s", i, i, i, i)} {
			if strings.Contains(shown, "w%rd") {
				t.Errorf("%s shows the password: %s", conn, shown)
			}
		}
		other, otherEnv := i.WithDatabase("a b").Child()
		if !strings.Contains(other, "dbname='a b'") || strings.Contains(other, "dbname=d") || len(otherEnv) != 1 {
			t.Errorf("another database: %q %q", other, otherEnv)
		}
	}
	i, err := conninfo.Parse("source", "host=h user=u")
	if err != nil {
		t.Fatal(err)
	}
	if _, env := i.Child(); len(env) != 0 {
		t.Errorf("no password, but %q", env)
	}
}
