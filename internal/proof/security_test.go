package proof_test

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
)

// secret is a password with what URIs, key/value strings and shells treat specially.
const secret = `hunter2 '"\%@:/$x`

// withPassword puts the secret into a URI.
func withPassword(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), secret)
	return u.String()
}

// leaks names the forms of the secret that a text holds.
func leaks(text string) (found []string) {
	for _, form := range []string{secret, "hunter2", url.QueryEscape(secret), url.PathEscape(secret)} {
		if strings.Contains(text, form) {
			found = append(found, form)
		}
	}
	return found
}

// TestSecurity_NoPasswordAnywhere runs the commands, some of which fail, and looks for
// the passwords in what they print, in arguments of processes, in what the servers log,
// in the target's tables and in files.
func TestSecurity_NoPasswordAnywhere(t *testing.T) {
	logged := map[string]string{"log_statement": "all", "log_min_messages": "debug1", "log_connections": "on"}
	maps.Copy(logged, crashSettings)
	servers := newServers(t, logged, logged)
	s := servers.scene(t)
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	from, _ := pgtest.Majors()
	home := t.TempDir()
	run := func(source string, args ...string) {
		t.Helper()
		env := []string{
			"WALFERRY_PGBIN=" + pgtest.Client(t, from), "WALFERRY_SOURCE=" + withPassword(t, source), "WALFERRY_TARGET=" + withPassword(t, s.target),
			"HOME=" + home, "TMPDIR=" + home, "WALFERRY_LOG_LEVEL=debug",
		}
		p := program.Start(t, path, env, args...)
		for p.Running() {
			for _, line := range commandLines() {
				if found := leaks(line); found != nil {
					t.Fatalf("walferry %q: %q in the arguments of a process: %s", args, found, line)
				}
			}
		}
		if found := leaks(p.Stdout.String() + p.Stderr.String()); found != nil {
			t.Errorf("walferry %q prints %q:\n%s%s", args, found, p.Stdout.String(), p.Stderr.String())
		}
	}
	run(s.source, "validate")
	run(s.source, "validate", "--json")
	run(s.source, "migrate", "--max-replication-lag", "0")
	run(s.source, "status", "--json")
	run(s.source, "stream", "--slot", "missing", "--publication", "missing")
	run("postgres://nobody@127.0.0.1:1/nothing", "migrate", "--retry-for", "1ms")
	run(strings.Replace(s.source, "postgres@", "missing_role@", 1), "validate")
	run(s.source, "migrate", "--max-replication-lag", "0", "--stop-replication", "--json")
	dump := pgtest.Query(t, s.target, `SELECT string_agg(query_to_xml('SELECT * FROM walferry.' || quote_ident(relname), true, false, '')::text, '')
		FROM pg_class WHERE relnamespace = 'walferry'::regnamespace AND relkind = 'r'`)[0][0]
	if found := leaks(dump); found != nil || !strings.Contains(dump, "default") {
		t.Errorf("the target's tables hold %q", found)
	}
	run(s.source, "cleanup", "--yes")
	for side, server := range map[string]*pgtest.Cluster{"source": servers.source, "target": servers.target} {
		if found := leaks(server.LogTail(1 << 20)); found != nil {
			t.Errorf("the %s's log holds %q", side, found)
		}
	}
	err = filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s: others can read it", path, info.Mode())
		}
		text, readErr := os.ReadFile(path)
		if found := leaks(string(text)); found != nil {
			t.Errorf("%s holds %q", path, found)
		}
		if err == nil {
			err = readErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSecurity_FilesAreOurs looks, whatever the umask is, at the files that walferry
// has while it spills a transaction: without a name, and nobody else's.
func TestSecurity_FilesAreOurs(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	s := servers.scene(t)
	home := t.TempDir()
	t.Setenv("TMPDIR", home)
	mustExit(t, walferry(t, "", s.args("migrate", "--max-replication-lag", "0")...), 0)
	s.happen(t)
	before := syscall.Umask(0)
	m := walferry(t, "spill: block written=stop@1", s.args("migrate", "--streaming", "on")...)
	syscall.Umask(before)
	pgtest.Eventually(t, "a transaction is spilled", func() bool { return stopped(m.Cmd.Process.Pid) })
	entries, err := os.ReadDir(home)
	if err != nil || len(entries) > 0 {
		t.Errorf("files with a name: %v, %v", entries, err)
	}
	spilled := 0
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", m.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range open {
		name, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, home) {
			continue
		}
		spilled++
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
	}
	if spilled == 0 {
		t.Error("there is no spill file")
	}
}

// commandLines are the arguments of all processes.
func commandLines() (lines []string) {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil { // else it has ended
			lines = append(lines, string(text))
		}
	}
	return lines
}
