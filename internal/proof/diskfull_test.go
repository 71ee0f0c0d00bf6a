package proof_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/pgbin"
	"github.com/walferry/walferry/internal/pgserver"
	"github.com/walferry/walferry/internal/pgtest"
)

// smallDisk is a file system of 128 MiB in a server's directory small. It is mounted in
// name spaces of the server's own, so it takes no rights and goes with the server.
const smallDisk = `#!/bin/sh
mkdir -p small
exec unshare --user --map-root-user --mount sh -ec '
	mount -t tmpfs -o size=128m,mode=0700 small small
	user=$0 group=$1
	shift
	# Again as ourselves: as root, PostgreSQL does not run.
	exec unshare --user --map-user="$user" --map-group="$group" setpriv --pdeathsig QUIT "$@"
' "$(id -u)" "$(id -g)" '%s' "$@"
`

// startSmall starts a server that has a small disk.
func startSmall(t *testing.T, major int) *pgtest.Cluster {
	t.Helper()
	bin, err := pgbin.Server(t.Context(), major)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := pgtest.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // servers of root run as another user
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "postgres"), fmt.Appendf(nil, smallDisk, filepath.Join(bin, "postgres")), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(bin, "initdb"), filepath.Join(dir, "initdb")); err != nil {
		t.Fatal(err)
	}
	return pgtest.StartWith(t, pgserver.Options{Major: major, BinDir: dir})
}

// fillDisk leaves no room in the target's database, until the table ballast is dropped.
func (s scene) fillDisk(t *testing.T) {
	t.Helper()
	conn := pgtest.Connect(t, s.target)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE public.ballast (t text); ALTER TABLE public.ballast ALTER t SET STORAGE PLAIN"); err != nil {
		t.Fatal(err)
	}
	for rows := 10000; rows > 0; {
		_, err := conn.Exec(t.Context(), "INSERT INTO public.ballast SELECT repeat('x', 7000) FROM generate_series(1, $1)", rows)
		var refused *pgconn.PgError
		switch {
		case err == nil:
		case errors.As(err, &refused) && refused.Code == "53100":
			rows /= 4 // what was not committed has left its room to the table
		default:
			t.Fatal(err)
		}
	}
}

// TestWires_TargetDiskFull fills the target's disk before the copy and in the stream. A
// patient run waits for room, one that is not ends with an error that says what is full.
func TestWires_TargetDiskFull(t *testing.T) {
	servers := newServers(t, crashSettings, nil)
	_, to := pgtest.Majors()
	servers.target = startSmall(t, to)
	s := servers.scene(t)
	pgtest.Exec(t, servers.target.URI("postgres"),
		fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", filepath.Join(servers.target.SocketDir(), "small")), "CREATE DATABASE small TABLESPACE small")
	s.target = servers.target.URI("small")
	full := func(text string) bool {
		return strings.Contains(text, "target") && strings.Contains(text, "No space left on device")
	}
	run := func(phase string, reached func() bool) {
		s.fillDisk(t)
		m := walferry(t, "", s.args("migrate", "--retry-for", "1ms")...)
		mustExit(t, m, 1)
		if !full(m.Stderr.String()) {
			t.Errorf("%s: the error does not say what is full:\n%s", phase, m.Stderr.String())
		}
		m = walferry(t, "", s.args("migrate")...)
		pgtest.Eventually(t, "walferry waits for room", func() bool {
			return !m.Running() || full(m.Stderr.String()) && strings.Contains(m.Stderr.String(), "retrying")
		})
		pgtest.Exec(t, s.target, "DROP TABLE public.ballast")
		pgtest.Eventually(t, "it goes on", func() bool { return !m.Running() || reached() })
		if err := m.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		mustExit(t, m, 3)
	}
	run("copy", func() bool { return s.streams(t) })
	s.happen(t)
	marker := pgtest.CurrentLSN(t, s.source)
	run("stream", func() bool {
		return pgtest.Query(t, s.target, `SELECT min(lsn) >= $1::pg_lsn FROM walferry.checkpoint`, marker.String())[0][0] == "t"
	})
	finishMigration(t, s)
	s.equal(t, true)
}
