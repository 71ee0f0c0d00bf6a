package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgbin"
)

// PgBouncer runs the PgBouncer of a Debian suite in front of the server, in the
// given pool_mode, and returns its port on 127.0.0.1 and what it says of its
// version. It is stopped when the test ends.
func (c *Cluster) PgBouncer(tb testing.TB, suite, mode string) (port int, version string) {
	tb.Helper()
	program, err := pgbin.PgBouncer(tb.Context(), suite)
	if err != nil {
		tb.Fatalf("no PgBouncer for this test: %v\n%s", err, explain(err))
	}
	out, err := exec.CommandContext(tb.Context(), program, "--version").Output()
	if err != nil {
		tb.Fatalf("run %s --version: %v", program, err)
	}
	version, _, _ = strings.Cut(string(out), "\n")
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		tb.Fatal(err)
	}
	port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		tb.Fatal(err)
	}
	// PgBouncer changes to another user when we are root.
	dir, err := os.MkdirTemp("", "walferry-pgbouncer-") //nolint:usetesting // others cannot enter TempDir
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // nothing in it is secret
		tb.Fatal(err)
	}
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\nauth_file = %s\npool_mode = %s\nadmin_users = nobody\n",
		c.Port(), port, filepath.Join(dir, "users"), mode)
	// With auth_type = any everybody becomes the user of the database's line.
	text = strings.Replace(text, "port="+strconv.Itoa(c.Port()), "port="+strconv.Itoa(c.Port())+" user=postgres", 1)
	for name, content := range map[string]string{"pgbouncer.ini": text, "users": "\"postgres\" \"\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil { //nolint:gosec // for the other user
			tb.Fatal(err)
		}
	}
	args := []string{"-q", config}
	if os.Geteuid() == 0 {
		args = []string{"-q", "-u", "nobody", config}
	}
	var log strings.Builder
	cmd := exec.Command(program, args...) //nolint:noctx // ended below
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start PgBouncer: %v", err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have exited
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Logf("PgBouncer's log:\n%s", log.String())
		}
	})
	Eventually(tb, "PgBouncer listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port)) //nolint:noctx // closed at once
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return port, version
}
