package pgtest

import (
	"fmt"
	"maps"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/pgbin"
	"github.com/walferry/walferry/internal/pgserver"
)

// Cluster is a running server of one major version. Safe for concurrent use.
type Cluster struct {
	*pgserver.Server
}

var settings = map[string]string{
	"wal_level":                 "logical",
	"max_replication_slots":     "50",
	"max_wal_senders":           "50",
	"max_connections":           "200",
	"max_prepared_transactions": "20",
	"max_worker_processes":      "20",
	"log_min_messages":          "warning",
}

// slot starts the shared server of one major once.
type slot struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

var shared struct {
	sync.Mutex
	slots map[int]*slot
}

// Server returns the test binary's shared server of a major version, and starts
// it when it is the first to ask. Tests must not change its settings or restart
// it: [Start] gives them a server of their own.
func Server(tb testing.TB, major int) *Cluster {
	tb.Helper()
	shared.Lock()
	if shared.slots == nil {
		shared.slots = map[int]*slot{}
	}
	s := shared.slots[major]
	if s == nil {
		s = &slot{}
		shared.slots[major] = s
	}
	shared.Unlock()
	// The server outlives the test that happens to ask first, so it must not
	// depend on that test's context.
	s.once.Do(func() { s.cluster, s.err = start(tb, pgserver.Options{Major: major}) })
	if s.err != nil {
		tb.Fatalf("no PostgreSQL %d for this test: %v\n%s", major, s.err, explain(s.err))
	}
	return s.cluster
}

// Start runs a server for this test alone, with settings over those of the
// shared servers. It is stopped when the test ends.
func Start(tb testing.TB, major int, settings map[string]string) *Cluster {
	tb.Helper()
	return StartWith(tb, pgserver.Options{Major: major, Settings: settings})
}

// StartWith is Start with whatever else a server can be told.
func StartWith(tb testing.TB, o pgserver.Options) *Cluster {
	tb.Helper()
	major := o.Major
	c, err := start(tb, o)
	if err != nil {
		tb.Fatalf("no PostgreSQL %d for this test: %v\n%s", major, err, explain(err))
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the end of PostgreSQL %d's log:\n%s", major, c.LogTail(40))
		}
		if kept(tb) {
			tb.Logf("PostgreSQL %d: psql '%s'", major, c.URI("postgres"))
			return
		}
		if err := c.Stop(); err != nil {
			tb.Errorf("stop PostgreSQL %d: %v", major, err)
		}
	})
	return c
}

func start(tb testing.TB, o pgserver.Options) (*Cluster, error) {
	tb.Helper()
	all := maps.Clone(settings)
	maps.Copy(all, o.Settings)
	o.Settings = all
	server, err := pgserver.Start(tb.Context(), o)
	if err != nil {
		return nil, err
	}
	return &Cluster{server}, nil
}

// explain returns the details and hints of an error.
func explain(err error) string {
	return errors.FlattenDetails(err) + "\n" + errors.FlattenHints(err)
}

func stopShared() {
	shared.Lock()
	defer shared.Unlock()
	for major, s := range shared.slots {
		if s.cluster == nil {
			continue
		}
		if err := s.cluster.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stop PostgreSQL %d: %v\n", major, err)
		}
	}
	shared.slots = nil
}

// Majors returns the major versions that end-to-end tests run with:
// WALFERRY_TEST_SOURCE and WALFERRY_TEST_TARGET, by default 15 and 15. What is no
// number becomes 0, of which no server exists.
func Majors() (source, target int) {
	return majorFrom("WALFERRY_TEST_SOURCE"), majorFrom("WALFERRY_TEST_TARGET")
}

func majorFrom(variable string) int {
	text := os.Getenv(variable)
	if text == "" {
		return 15
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// Client returns a directory with pg_dump, pg_restore and psql of at least the
// given major version, for --pgbin.
func Client(tb testing.TB, major int) string {
	tb.Helper()
	dir, err := pgbin.Client(tb.Context(), major)
	if err != nil {
		tb.Fatalf("no client programs of PostgreSQL %d for this test: %v\n%s", major, err, explain(err))
	}
	return dir
}
