package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/errors"
	"go.uber.org/goleak"

	"github.com/walferry/walferry/internal/server"
	"github.com/walferry/walferry/internal/status"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }))
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestServer_ShowsOneStatus renders the same state as page, JSON, metrics and health, asks for
// it at most once a second, and says so when it cannot be had.
func TestServer_ShowsOneStatus(t *testing.T) {
	safe := int64(3 << 30)
	d := status.Database{
		Database: "shop", Phase: "streaming",
		Running:  &status.Running{Command: "migrate", By: "me@<here> (pid 1)", Since: time.Now()},
		Lag:      status.Lag{Bytes: 1 << 20, Seconds: 2.5},
		LSN:      status.LSNs{Source: "1/10", Received: "1/8", Applied: "1/4", Durable: "1/0"},
		Slot:     status.Slot{Name: "s", WALStatus: "reserved", RetainedBytes: 1 << 30, SafeWALSize: &safe},
		Tables:   []status.Table{{Table: "public.<b>", State: "ready", Rows: 7, MissedUpdates: 3}},
		Forecast: &status.Forecast{Text: "caught up at 14:32 UTC"},
		Next:     []string{"walferry cutover"},
	}
	var asked, broken atomic.Int32
	o := server.Options{
		Address: "127.0.0.1:0", Name: "default", Version: "v1", Logger: slog.New(slog.DiscardHandler),
		Status: func(context.Context) (*status.Status, error) {
			asked.Add(1)
			if broken.Load() > 0 {
				return nil, errors.New("the target is away")
			}
			return &status.Status{SchemaVersion: 1, Name: "default", Databases: []status.Database{d}}, nil
		},
	}
	s, err := server.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.Show(status.Progress{Phase: "streaming", Transactions: 12})
	base := "http://" + s.Address()
	for path, wants := range map[string][]string{
		"/":            {`<li class="now">streaming</li>`, `<li class="after">done</li>`, "caught up at 14:32 UTC", "public.&lt;b&gt;", "it is lost at 4.0 GiB", "1.0 MiB", "walferry cutover", "me@&lt;here&gt;"},
		"/status.json": {`"schema_version":1`, `"phase":"streaming"`, `"caught_up_at":null`},
		"/healthz":     {"ok"},
		"/style.css":   {"body {"},
		"/metrics": {
			`walferry_lag_bytes{database="shop",migration="default",position="applied"} 1.048576e+06`,
			`walferry_phase{database="shop",migration="default",phase="streaming"} 1`, `walferry_phase{database="shop",migration="default",phase="done"} 0`,
			`walferry_missed_rows_total{database="shop",migration="default",op="update"} 3`,
			`walferry_run_applied_transactions_total{migration="default"} 12`, `walferry_up{migration="default"} 1`,
			`walferry_source_slot_safe_bytes{database="shop",migration="default"} 3.221225472e+09`,
		},
	} {
		code, body := get(t, base+path)
		for _, want := range wants {
			if code != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s is %d without %q:\n%s", path, code, want, body)
			}
		}
	}
	if n := asked.Load(); n > 3 {
		t.Errorf("the servers were asked %d times", n)
	}
	if code, _ := get(t, base+"/nosuch"); code != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", code)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}

	broken.Store(1)
	if s, err = server.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	base = "http://" + s.Address()
	if code, _ := get(t, base+"/healthz"); code != http.StatusOK {
		t.Errorf("before there is anything to ask for: %d", code)
	}
	s.Show(status.Progress{Phase: "copying"})
	for path, want := range map[string]string{"/healthz": "the target is away", "/status.json": `"error":"the target is away"`} {
		if code, body := get(t, base+path); code != http.StatusServiceUnavailable || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if _, body := get(t, base+"/"); !strings.Contains(body, "the target is away") || !strings.Contains(body, "copying") {
		t.Errorf("the page:\n%s", body)
	}
	if _, body := get(t, base+"/metrics"); !strings.Contains(body, `walferry_up{migration="default"} 0`) {
		t.Errorf("metrics:\n%s", body)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := server.Start(t.Context(), server.Options{Address: "nosuch host:x", Logger: o.Logger}); err == nil {
		t.Error("it listens at no address")
	}
}
