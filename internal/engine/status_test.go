package engine_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/status"
)

func (p pair) status(t *testing.T) status.Database {
	t.Helper()
	var s status.Status
	if err := json.Unmarshal([]byte(run(t, 0, p.args("status", "--json")...).Stdout.String()), &s); err != nil {
		t.Fatal(err)
	}
	return s.Databases[0]
}

// TestStatus_Ladder tells the truth while a migration runs, is idle, is stopped with a
// growing backlog, and is cut over; and what to run next each time.
func TestStatus_Ladder(t *testing.T) {
	from, to := pgtest.Majors()
	p := pair{
		source: pgtest.Start(t, from, map[string]string{"max_slot_wal_keep_size": "2GB"}).Database(t,
			`CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE TABLE log (v numeric PRIMARY KEY)`),
		target: pgtest.Server(t, to).Database(t),
	}
	m := start(t, p.args("migrate", "--listen", "127.0.0.1:0")...)
	p.streaming(t, m)
	if !strings.Contains(page(t, m, "metrics"), `phase="streaming"} 1`) || !strings.Contains(page(t, m, ""), "public.t") || page(t, m, "healthz") != "ok\n" {
		t.Errorf("the status page: %s", page(t, m, ""))
	}
	pgtest.Exec(t, p.source, `INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i`, `INSERT INTO log VALUES (1.0)`)
	pgtest.Eventually(t, "an idle migration is not behind", func() bool {
		s := p.status(t)
		return s.Lag == status.Lag{} && s.LSN.Source == s.LSN.Durable && s.LSN.Received == s.LSN.Applied
	})
	s := p.status(t)
	if s.Running == nil || s.Running.Command != "migrate" || !strings.Contains(s.Running.By, "@") || s.Slot.SafeWALSize == nil {
		t.Errorf("running: %+v, slot %+v", s.Running, s.Slot)
	}
	if next := strings.Join(s.Next, "; "); next != "walferry verify; walferry cutover --dry-run; walferry cutover" {
		t.Errorf("next: %s", next)
	}
	pgtest.Eventually(t, "a forecast is there", func() bool { f := p.status(t).Forecast; return f != nil && f.Text == "caught up" })
	run(t, 0, p.args("status")...).says("caught up", "row by row: ", "as sets", "of 2.0 GiB, then it is lost", "walferry migrate of ")

	m.signal(syscall.SIGTERM)
	m.wait(3)
	run(t, 0, p.args("verify")...)
	pgtest.Exec(t, p.source, `INSERT INTO t SELECT i, repeat('x', 900) FROM generate_series(1001, 9000) i`)
	pgtest.Eventually(t, "time has passed", func() bool { return p.status(t).Lag.Seconds > 3 })
	s = p.status(t)
	if s.Running != nil || s.Lag.Bytes < 7<<20 || s.Lag.DurableBytes < s.Lag.Bytes || s.Lag.ReceivedBytes > s.Lag.Bytes {
		t.Errorf("stopped, with a backlog: %+v", s)
	}
	if s.Verified == nil || !s.Verified.Equal {
		t.Errorf("verified: %+v", s.Verified)
	}
	if s.Forecast == nil || s.Forecast.SlotLostAt == nil || !strings.Contains(s.Forecast.Text, "at this rate the slot is lost in ") {
		t.Errorf("forecast: %+v", s.Forecast)
	}
	if strings.Join(s.Next, "") != "walferry migrate" {
		t.Errorf("next: %v", s.Next)
	}

	w := start(t, p.args("status", "--watch", "--interval", "100ms", "--json")...)
	pgtest.Eventually(t, "the watch shows more than one state", func() bool { return strings.Count(w.Stdout.String(), "\n") > 2 })
	w.signal(syscall.SIGINT)
	w.wait(0)

	run(t, 0, p.args("cutover")...)
	if s = p.status(t); s.Phase != "done" || s.Cutover == nil || !s.Cutover.Decided || !s.Cutover.Verified || strings.Join(s.Next, "") != "walferry cleanup" {
		t.Errorf("after the cutover: %+v, %+v", s, s.Cutover)
	}
}

var pageURL = regexp.MustCompile(`url=(http://\S+)`)

// page reads a page of a run that listens.
func page(t *testing.T, m *process, path string) string {
	t.Helper()
	url := pageURL.FindStringSubmatch(m.Stderr.String())
	if url == nil {
		t.Fatal("walferry does not say where it listens")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url[1]+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
