package proof_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/pgtest"
)

// smallDisk gives the target a database on a file system of 128 MiB.
func (s scene) smallDisk(t *testing.T) scene {
	t.Helper()
	dir := filepath.Join(s.servers.target.SocketDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("walferry", dir, "tmpfs", 0, "size=128m,mode=0777"); err != nil {
		t.Fatalf("mount a small file system, which takes root: %v", err)
	}
	uri := s.servers.target.URI("postgres")
	t.Cleanup(func() {
		// A server that lacks a tablespace writes no checkpoint anymore.
		ctx := context.WithoutCancel(t.Context())
		conn, err := pgx.Connect(ctx, uri)
		if err == nil {
			_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS small WITH (FORCE)")
			_, dropErr := conn.Exec(ctx, "DROP TABLESPACE IF EXISTS small")
			err = errors.CombineErrors(err, errors.CombineErrors(dropErr, conn.Close(ctx)))
		}
		if err != nil {
			t.Error(err)
		}
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := s.servers.target.Own(dir); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, uri, fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", dir), "CREATE DATABASE small TABLESPACE small")
	s.target = s.servers.target.URI("small")
	return s
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
	s := servers.scene(t).smallDisk(t)
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
