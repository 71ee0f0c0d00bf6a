package pgserver_test

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/walferry/walferry/internal/pgserver"
)

// childVariable makes this test binary start a server in the directory and wait to be killed.
const childVariable = "WALFERRY_PGSERVER_TEST_CHILD"

func TestMain(m *testing.M) {
	if parent := os.Getenv(childVariable); parent != "" {
		child(parent)
		return
	}
	goleak.VerifyTestMain(m)
}

func child(parent string) {
	s, err := pgserver.Start(context.Background(), pgserver.Options{Major: 15, Parent: parent})
	if err != nil {
		slog.Error("start a server", "error", err)
		return
	}
	if _, err := os.Stdout.WriteString(s.URI("postgres") + "\n"); err != nil {
		slog.Error("tell where the server is", "error", err)
		return
	}
	select {}
}

func start(t *testing.T, o pgserver.Options) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func query(t *testing.T, uri, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing is lost
	var text string
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func TestStart(t *testing.T) {
	t.Parallel()
	for _, major := range []int{13, 18} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			s := start(t, pgserver.Options{Major: major, Settings: map[string]string{"work_mem": "77kB", "application_name": "it's"}})
			version, err := strconv.Atoi(query(t, s.URI("postgres"), "SHOW server_version_num"))
			if err != nil || version/10000 != major || s.Major() != major {
				t.Fatalf("version %d, %v", version, err)
			}
			if got := query(t, s.URI("postgres"), "SHOW work_mem"); got != "77kB" {
				t.Fatalf("work_mem is %s", got)
			}
			socket := "host=" + s.SocketDir() + " user=postgres dbname=postgres port=" + strconv.Itoa(s.Port())
			if got := query(t, socket, "SHOW server_encoding"); got != "UTF8" {
				t.Fatalf("the encoding is %s", got)
			}
		})
	}
}

func TestStart_ReportsWhatTheServerSays(t *testing.T) {
	t.Parallel()
	parent := enterable(t)
	_, err := pgserver.Start(t.Context(), pgserver.Options{
		Major: 15, Parent: parent, Settings: map[string]string{"wal_level": "nonsense"},
	})
	if err == nil {
		t.Fatal("the server started")
	}
	if text := errors.FlattenDetails(err); !strings.Contains(text, "nonsense") {
		t.Fatalf("the error says %q", text)
	}
	if left := entries(t, parent); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestStart_WithAPassword(t *testing.T) {
	t.Parallel()
	s := start(t, pgserver.Options{Major: 15, Password: "pass word'/"})
	query(t, s.URI("postgres"), "SELECT ''")
	wrong := "host=127.0.0.1 user=postgres password=wrong dbname=postgres port=" + strconv.Itoa(s.Port())
	if conn, err := pgx.Connect(t.Context(), wrong); err == nil {
		conn.Close(t.Context()) //nolint:errcheck // the test has failed
		t.Fatal("a wrong password is enough")
	}
}

func TestServer_Restart(t *testing.T) {
	t.Parallel()
	parent := enterable(t)
	s := start(t, pgserver.Options{Major: 15, Parent: parent})
	query(t, s.URI("postgres"), "SELECT pg_create_logical_replication_slot('s', 'pgoutput')::text")
	for _, immediate := range []bool{false, true} {
		if err := s.Halt(t.Context(), immediate); err != nil {
			t.Fatal(err)
		}
		if s.Running() {
			t.Fatal("it runs although it was halted")
		}
		if err := s.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := query(t, s.URI("postgres"), "SELECT slot_name::text FROM pg_replication_slots"); got != "s" {
			t.Fatalf("the slot became %q", got)
		}
	}
	if !strings.Contains(s.LogTail(100), "automatic recovery") && !strings.Contains(s.LogTail(100), "not properly shut down") {
		t.Fatalf("an immediate halt was no crash:\n%s", s.LogTail(100))
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, parent); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestServer_Copy(t *testing.T) {
	t.Parallel()
	s := start(t, pgserver.Options{Major: 15, Settings: map[string]string{"wal_level": "replica"}})
	query(t, s.URI("postgres"), "SELECT pg_create_physical_replication_slot('standby')::text")
	for name, settings := range map[string]map[string]string{
		"f": {"work_mem": "77kB"},
		"t": {"work_mem": "77kB", "primary_slot_name": "standby", "primary_conninfo": s.URI("postgres")},
	} {
		c, err := s.Copy(t.Context(), settings)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		const identity = "SELECT system_identifier::text FROM pg_control_system()"
		if got := query(t, c.URI("postgres"), identity); got != query(t, s.URI("postgres"), identity) || c.Port() == s.Port() {
			t.Errorf("the copy is %s at port %d", got, c.Port())
		}
		if got := query(t, c.URI("postgres"), "SELECT left(pg_is_in_recovery()::text, 1) || current_setting('work_mem')"); got != name+"77kB" {
			t.Errorf("in recovery, work_mem: %s, want %s", got, name)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestServer_DiesWithItsProcess kills a process that runs a server, and starts
// another one, which removes what the first has left.
func TestServer_DiesWithItsProcess(t *testing.T) {
	t.Parallel()
	parent := enterable(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+parent)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 200)
	n, err := out.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	uri := strings.TrimSpace(string(text[:n]))
	query(t, uri, "SELECT ''")
	start(t, pgserver.Options{Major: 15, Parent: parent})
	if got := entries(t, parent); len(got) != 2 {
		t.Fatalf("two servers of living processes have %v", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for {
		conn, err := pgx.Connect(t.Context(), uri)
		if err != nil {
			break
		}
		conn.Close(t.Context()) //nolint:errcheck // nothing is lost
	}
	start(t, pgserver.Options{Major: 15, Parent: parent})
	if got := entries(t, parent); len(got) != 2 {
		t.Fatalf("the dead process's directory is still there: %v", got)
	}
}

// enterable returns a temporary directory that other users may enter.
func enterable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgserver-test-") //nolint:usetesting // t.TempDir is for ourselves alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
