package conninfo_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
)

func parse(t *testing.T, conn string) *conninfo.Info {
	t.Helper()
	i, err := conninfo.Parse("source", conn)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// wantPins is what SHOW says in every session.
var wantPins = map[string]string{
	"search_path": "", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "TimeZone": "UTC",
	"extra_float_digits": "3", "bytea_output": "hex", "xmloption": "content", "row_security": "off",
	"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0", "idle_session_timeout": "0",
	"standard_conforming_strings": "on", "application_name": "walferry/copy 3", "lc_monetary": "C",
}

func TestConnect_PinsTheSession(t *testing.T) {
	major, _ := pgtest.Majors()
	uri := pgtest.Server(t, major).Database(t)
	database := parse(t, uri).Database()
	for _, setting := range []string{
		"search_path = 'x'", "client_encoding = 'LATIN1'", "datestyle = 'German, MDY'", "intervalstyle = 'sql_standard'",
		"timezone = 'Asia/Tokyo'", "extra_float_digits = 0", "bytea_output = 'escape'", "statement_timeout = '1s'", "lock_timeout = 1",
		"idle_in_transaction_session_timeout = 5", "standard_conforming_strings = off", "xmloption = document",
	} {
		pgtest.Exec(t, uri, fmt.Sprintf("ALTER DATABASE %q SET %s", database, setting))
	}
	i := parse(t, uri)
	opts := []conninfo.Option{conninfo.WithPurpose("copy 3"), conninfo.WithSetting("lc_monetary", "C")}
	conn, err := i.Connect(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing is lost
	repl, err := i.ConnectReplication(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer repl.Close(t.Context()) //nolint:errcheck // nothing is lost
	for kind, c := range map[string]*pgconn.PgConn{"ordinary": conn.PgConn(), "replication": repl} {
		for name, want := range wantPins {
			if name == "idle_session_timeout" && major < 14 {
				continue
			}
			got, err := c.Exec(t.Context(), "SELECT pg_catalog.current_setting('"+name+"')").ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if value := string(got[0].Rows[0][0]); value != want {
				t.Errorf("%s connection: %s is %q, want %q", kind, name, value, want)
			}
		}
		pooled, err := conninfo.Pooled(t.Context(), c)
		if err != nil || pooled {
			t.Errorf("%s connection: pooled %v, %v", kind, pooled, err)
		}
		if got := conninfo.Major(c); got != major {
			t.Errorf("%s connection: major %d", kind, got)
		}
	}
	if _, err := repl.Exec(t.Context(), "IDENTIFY_SYSTEM").ReadAll(); err != nil {
		t.Errorf("not a replication connection: %v", err)
	}
}

func TestConnect_ByUnixSocketAndOtherDatabase(t *testing.T) {
	major, _ := pgtest.Majors()
	server := pgtest.Server(t, major)
	uri := server.Database(t)
	name := parse(t, uri).Database()
	for _, conn := range []string{
		fmt.Sprintf("host=%s port=%d user=postgres dbname=template1", server.SocketDir(), server.Port()),
		fmt.Sprintf("postgresql://postgres@%s:%d/template1", url.PathEscape(server.SocketDir()), server.Port()),
		fmt.Sprintf("host=nowhere.invalid hostaddr=127.0.0.1 port=%d user=postgres dbname=template1", server.Port()),
		fmt.Sprintf("host=127.0.0.1,localhost port=1,%d user=postgres dbname=template1", server.Port()),
	} {
		c, err := parse(t, conn).WithDatabase(name).Connect(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", conn, err)
		}
		var got string
		if err := c.QueryRow(t.Context(), "SELECT pg_catalog.current_database()").Scan(&got); err != nil || got != name {
			t.Errorf("%s: in %q, %v", conn, got, err)
		}
		_ = c.Close(t.Context())
	}
}

func TestConnect_ErrorsNameWhereAndHelp(t *testing.T) {
	cleanEnvironment(t)
	major, _ := pgtest.Majors()
	server := pgtest.Start(t, major, nil)
	pgtest.Exec(t, server.URI("postgres"), "SET password_encryption = 'scram-sha-256'", "CREATE ROLE plain LOGIN PASSWORD 'right'", "CREATE ROLE stranger LOGIN")
	hba := "host all postgres all trust\nhost all plain all scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(server.DataDir(), "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, server.URI("postgres"), "SELECT pg_reload_conf()")
	pgtest.Eventually(t, "the new pg_hba.conf holds", func() bool {
		_, err := parse(t, fmt.Sprintf("host=127.0.0.1 port=%d user=stranger dbname=postgres", server.Port())).Connect(t.Context())
		return err != nil
	})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unused := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	port := server.Port()
	for _, c := range []struct {
		conn        string
		replication bool
		want, hint  string
	}{
		{
			fmt.Sprintf("host=127.0.0.1 port=%d user=u dbname=d password='p@ss w%%rd'", unused), false,
			fmt.Sprintf("connect to source 127.0.0.1:%d/d as u: dial tcp", unused), "listen_addresses",
		},
		{"host=nowhere.invalid user=u dbname=d", false, "connect to source nowhere.invalid:5432/d as u: ", "host name"},
		{"host=/nowhere user=u dbname=d", false, "connect to source /nowhere:5432/d as u: ", "host=localhost"},
		{
			fmt.Sprintf("host=127.0.0.1 port=%d user=plain dbname=postgres password='p@ss w%%rd'", port), false,
			`as plain: FATAL: password authentication failed for user "plain" (SQLSTATE 28P01)`, "percent-encoded",
		},
		{fmt.Sprintf("host=127.0.0.1 port=%d user=plain dbname=postgres", port), false, "28P01", "No password was given"},
		{fmt.Sprintf("host=127.0.0.1 port=%d user=stranger dbname=postgres", port), false, "no pg_hba.conf entry", "pg_hba.conf"},
		{fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=none", port), false, "3D000", "name"},
		{fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=require", port), false, "refused TLS", "sslmode=prefer"},
		{fmt.Sprintf("host=127.0.0.1 port=%d user=plain dbname=postgres password=right", port), true, "connect to source", "REPLICATION"},
		{fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres options='-c nonsense=1'", port), false, "42704", ""},
	} {
		i := parse(t, c.conn)
		if c.replication {
			_, err = i.ConnectReplication(t.Context())
		} else {
			_, err = i.Connect(t.Context())
		}
		if err == nil {
			t.Errorf("%s: connected", c.conn)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.conn, err)
		}
		if hint := errors.FlattenHints(err); !strings.Contains(hint, c.hint) {
			t.Errorf("%s: %v\nhint: %s", c.conn, err, hint)
		}
		if shown := fmt.Sprintf("%+v", err) + errors.FlattenDetails(err); strings.Contains(shown, "w%rd") || strings.Contains(shown, "right") {
			t.Errorf("%s: shows the password: %s", c.conn, shown)
		}
	}
}

func TestConnect_EndsWithItsContext(t *testing.T) {
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // nothing is lost
	conn := fmt.Sprintf("host=127.0.0.1 port=%d user=u dbname=d sslmode=disable connect_timeout=", silent.Addr().(*net.TCPAddr).Port)
	_, err = parse(t, conn+"1").Connect(t.Context())
	if err == nil || !strings.Contains(errors.FlattenHints(err), "connect_timeout") {
		t.Errorf("a silent server: %v, hint %q", err, errors.FlattenHints(err))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = parse(t, conn+"100").Connect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}
