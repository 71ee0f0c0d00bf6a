package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
)

// client is an application that bears a source which is closed: it tries again, and
// knows which of its transactions were committed.
type client struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	committed map[string]bool
	refused   int
}

// use lets sessions write to uri until the client is stopped.
func use(t *testing.T, uri string, sessions int) *client {
	t.Helper()
	pgtest.Exec(t, uri, `CREATE TABLE IF NOT EXISTS public.app_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text UNIQUE)`)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := &client{cancel: cancel, committed: map[string]bool{}}
	for i := range sessions {
		c.wg.Go(func() { c.session(ctx, uri, strconv.Itoa(i)) })
	}
	t.Cleanup(c.stop)
	return c
}

func (c *client) session(ctx context.Context, uri, name string) {
	var conn *pgx.Conn
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		what := name + "-" + strconv.Itoa(n)
		var err error
		if conn == nil {
			conn, err = pgx.Connect(ctx, uri)
		}
		if err == nil {
			_, err = conn.Exec(ctx, `INSERT INTO public.app_log (what) VALUES ($1)`, what)
		}
		c.mu.Lock()
		if err == nil {
			c.committed[what] = true
		} else {
			c.refused++
		}
		c.mu.Unlock()
		if err != nil && conn != nil {
			_ = conn.Close(ctx) // it may have been ended by the server
			conn = nil
		}
		<-pace.C
	}
	if conn != nil {
		_ = conn.Close(context.WithoutCancel(ctx)) // nothing depends on it
	}
}

func (c *client) stop() {
	c.cancel()
	c.wg.Wait()
}

func (c *client) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.committed)
}

// writes waits until the client commits again.
func (c *client) writes(t *testing.T) {
	t.Helper()
	from := c.count()
	pgtest.Eventually(t, "the application commits", func() bool { return c.count() > from })
}

// allOn fails unless everything that was committed is there.
func (c *client) allOn(t *testing.T, uri string) {
	t.Helper()
	found := map[string]bool{}
	for _, row := range pgtest.Query(t, uri, `SELECT what FROM public.app_log`) {
		found[row[0]] = true
	}
	lost := 0
	for what := range c.committed {
		if !found[what] {
			lost++
		}
	}
	if lost > 0 || len(found) == 0 {
		t.Errorf("%d of %d committed transactions are not on the target", lost, len(c.committed))
	}
}

// refuses reports whether an ordinary session cannot write.
func refuses(t *testing.T, uri string) bool {
	t.Helper()
	conn := pgtest.Connect(t, uri)
	_, err := conn.Exec(t.Context(), `CREATE TABLE public.intruder (); DROP TABLE public.intruder`)
	if err != nil && !strings.Contains(err.Error(), "read-only transaction") {
		t.Fatal(err)
	}
	return err != nil
}

// stopper is a directory of hooks that hold a cutover before a step.
type stopper struct {
	t   *testing.T
	dir string
}

// before lets the next cutover stop before a step.
func (s stopper) before(step string) (args []string) {
	s.t.Helper()
	s.clear()
	script := "#!/bin/sh\necho \"$WALFERRY_STEP $WALFERRY_NAME $WALFERRY_DECIDED\" > " + s.dir + "/reached\n" +
		"while [ -d " + s.dir + " ] && [ ! -e " + s.dir + "/go ]; do sleep 0.05; done\n"
	if err := os.WriteFile(filepath.Join(s.dir, "walferry-on-"+step), []byte(script), 0o755); err != nil { //nolint:gosec // it is run
		s.t.Fatal(err)
	}
	return []string{"--hooks", s.dir}
}

func (s stopper) clear() {
	s.t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
			s.t.Fatal(err)
		}
	}
}

// reached waits until m stands before the step, and returns what the hook was told.
func (s stopper) reached(m *process) string {
	s.t.Helper()
	var told []byte
	pgtest.Eventually(s.t, "the cutover has reached the step", func() bool {
		if !m.running() {
			s.t.Fatal("walferry ended before the step")
		}
		told, _ = os.ReadFile(filepath.Join(s.dir, "reached"))
		return strings.HasSuffix(string(told), "\n")
	})
	return strings.TrimSpace(string(told))
}

func (s stopper) release() {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (p pair) streaming(t *testing.T, m *process) {
	t.Helper()
	pgtest.Eventually(t, "the migration streams", func() bool {
		if !m.running() {
			t.Fatal("walferry ended before it streamed")
		}
		return p.phase(t) == "streaming"
	})
}

func (p pair) decided(t *testing.T) bool {
	t.Helper()
	return p.ask(t, `SELECT (decided_at IS NOT NULL)::text FROM walferry.migration`) == "true"
}

// TestCutover_KilledAtEachStep cuts over under load beside a running migrate, is killed
// before every step, and finishes when it is run again: never are both sides writers, and
// every transaction that the application saw committed is on the target.
func TestCutover_KilledAtEachStep(t *testing.T) {
	p := newPair(t, 1)
	app := use(t, p.source, 4)
	migrate := start(t, p.args("migrate")...)
	p.streaming(t, migrate)
	s := stopper{t, t.TempDir()}

	for _, step := range []string{
		"fence", "final-lsn", "drain", "sequences", "objects", "schema", "validate", "analyze", "verify", "quiet", "decide", "release", "done",
	} {
		m := start(t, p.args("cutover", s.before(step)...)...)
		told := s.reached(m)
		m.kill()
		s.release()
		decided, closed := p.decided(t), refuses(t, p.source)
		t.Logf("killed before %s: decided %t, source closed %t", step, decided, closed)
		after := step == "release" || step == "done"
		if want := step + " default " + strconv.FormatBool(after); told != want {
			t.Errorf("the hook was told %q, want %q", told, want)
		}
		if decided != after || closed != (step != "fence") {
			t.Errorf("killed before %s: decided %t, source closed %t", step, decided, closed)
		}
		switch step {
		case "fence":
			app.writes(t)
		case "drain":
			run(t, 0, p.args("cutover", "--abort")...)
			app.writes(t)
		case "release":
			run(t, 1, p.args("cutover", "--abort")...)
			if !refuses(t, p.source) {
				t.Error("a decided cutover was aborted")
			}
			run(t, 1, p.args("migrate")...)
		}
	}
	s.clear()
	done := run(t, 0, p.args("cutover")...)
	if out := done.Stdout.String(); !strings.Contains(out, "migration default of database") || !strings.Contains(out, "release") {
		t.Errorf("the report:\n%s", out)
	}
	run(t, 0, p.args("cutover")...) // again, which has nothing left to do
	migrate.signal(9)
	app.stop()
	if !refuses(t, p.source) {
		t.Error("the source is open after the cutover")
	}
	app.allOn(t, p.target)
	pgtest.Compare(t, p.source, p.target, rowdiff.Options{Sequences: true})
	p.finished(t)
	if !refuses(t, p.source) {
		t.Error("cleanup opened the source of a decided migration")
	}
}
