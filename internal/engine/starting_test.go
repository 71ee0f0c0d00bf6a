package engine_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/pgtest"
)

// TestEndToEnd_WaitsForAStartingServer begins while the target takes no connections yet:
// a standby that is not read from, until it is promoted.
func TestEndToEnd_WaitsForAStartingServer(t *testing.T) {
	t.Parallel()
	from, to := pgtest.Majors()
	server := pgtest.Start(t, to, map[string]string{"hot_standby": "off"})
	p := pair{source: pgtest.Server(t, from).Database(t, numbers), target: server.Database(t)}
	if err := server.Halt(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	touch := func(name string) {
		path := filepath.Join(server.DataDir(), name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := server.Own(path); err != nil {
			t.Fatal(err)
		}
	}
	touch("standby.signal")
	resumed := make(chan error, 1)
	go func() { resumed <- server.Resume(t.Context()) }()
	pgtest.Eventually(t, "the server answers that it is starting", func() bool {
		_, err := pgx.Connect(t.Context(), p.target)
		var answer *pgconn.PgError
		return errors.As(err, &answer) && answer.Code == "57P03"
	})
	waits := func() *process {
		m := start(t, p.args("migrate", "--max-replication-lag", "0", "--stop-replication")...)
		pgtest.Eventually(t, "the server is waited for", func() bool {
			return !m.running() || strings.Contains(m.Stderr.String(), "retrying after an error") && strings.Contains(m.Stderr.String(), "57P03")
		})
		return m
	}
	stopped := waits()
	stopped.signal(syscall.SIGTERM)
	stopped.wait(3)
	m := waits()
	touch("promote")
	pid, err := os.ReadFile(filepath.Join(server.DataDir(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(pid), "\n")
	postmaster, err := strconv.Atoi(line)
	if err == nil {
		err = syscall.Kill(postmaster, syscall.SIGUSR1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := <-resumed; err != nil {
		t.Fatal(err)
	}
	m.wait(0)
	p.finished(t)
}
