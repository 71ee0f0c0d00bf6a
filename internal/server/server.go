package server

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/term"
)

// fresh is how long a status is shown before the servers are asked again, and askFor how
// long they may take to answer.
const (
	fresh  = time.Second
	askFor = 10 * time.Second
)

// Options say what is shown.
type Options struct {
	// Address to listen on: host:port, or :port for all interfaces.
	Address string
	Name    string // of the migration
	Version string // of the program
	// Status reads the state of the migration from both sides.
	Status func(ctx context.Context) (*status.Status, error)
	Logger *slog.Logger
}

// Server is a listening server. Safe for concurrent use.
type Server struct {
	o        Options
	http     http.Server
	listener net.Listener
	served   chan error

	mu       sync.Mutex
	progress status.Progress

	asking sync.Mutex
	asked  time.Time
	status *status.Status
	err    error
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed style.css
	styleCSS string
	page     = template.Must(template.New("page").Funcs(template.FuncMap{
		"bytes": term.Bytes,
		"rate":  func(f float64) string { return term.Bytes(int64(f)) + "/s" },
		"limit": func(s status.Slot) string {
			if s.SafeWALSize == nil {
				return "nothing limits it"
			}
			return "it is lost at " + term.Bytes(s.RetainedBytes+*s.SafeWALSize)
		},
		"reached": reached,
	}).Parse(pageHTML))
)

// phases are shown as steps, in order.
var phases = []string{"preparing", "copying", "indexing", "catching_up", "streaming", "cutting_over", "done"}

// reached says how a phase stands to the present one: before, now or after it.
func reached(phase, present string) string {
	switch cmp.Compare(slices.Index(phases, phase), slices.Index(phases, present)) {
	case 0:
		return "now"
	case 1:
		return "after"
	}
	return "before"
}

// Start listens and serves until Close.
func Start(ctx context.Context, o Options) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, errors.WithHint(errors.Wrap(err, "listen for the status page"), "choose another address with --listen")
	}
	s := &Server{o: o, listener: listener, served: make(chan error, 1)}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		_, _ = w.Write([]byte(styleCSS)) // the browser has gone
	})
	mux.HandleFunc("GET /status.json", s.json)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	s.http = http.Server{Handler: secured(mux), ReadHeaderTimeout: 10 * time.Second}
	go func() { s.served <- s.http.Serve(listener) }() // Close waits for it
	o.Logger.InfoContext(ctx, "status page", "url", "http://"+s.Address()+"/")
	return s, nil
}

// secured lets browsers load nothing from elsewhere and keep nothing.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}

// Address is where the server listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Show takes the newest progress of the run.
func (s *Server) Show(p status.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = p
}

// Close ends the server and waits for it.
func (s *Server) Close() error {
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.CombineErrors(err, served)
	}
	return errors.Wrap(err, "close the status page")
}

func (s *Server) latest() status.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.progress
}

// ask returns a status that is at most a second old, or why there is none.
func (s *Server) ask(ctx context.Context) (*status.Status, error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	if time.Since(s.asked) < fresh {
		return s.status, s.err
	}
	// It is everybody's who asks within the second, so a request that ends must not end it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
	defer cancel()
	s.status, s.err = s.o.Status(ctx)
	s.asked = time.Now()
	return s.status, s.err
}

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	found, err := s.ask(r.Context())
	data := struct {
		Name, Version, Error string
		Phases               []string
		Progress             status.Progress
		Status               *status.Status
	}{s.o.Name, s.o.Version, "", phases, s.latest(), found}
	if err != nil {
		data.Error = err.Error()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, data); err != nil {
		s.o.Logger.DebugContext(r.Context(), "write the status page", "reason", err)
	}
}

func (s *Server) json(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	found, err := s.ask(r.Context())
	var answer any = found
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		answer = map[string]any{"schema_version": status.SchemaVersion, "error": err.Error(), "phase": s.latest().Phase}
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		s.o.Logger.DebugContext(r.Context(), "write the status", "reason", err)
	}
}

// healthz says ok unless something blocks the run. Before the migration is recorded there is
// nothing to ask, and the run is well as long as it answers.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	var blocked []string
	if found, err := s.ask(r.Context()); err == nil {
		for _, d := range found.Databases {
			blocked = append(blocked, d.BlockedBy...)
		}
	} else if s.latest().Phase != "" && s.latest().Phase != "preparing" {
		blocked = append(blocked, err.Error())
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok\n"
	if len(blocked) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = strings.Join(blocked, "\n") + "\n"
	}
	_, _ = w.Write([]byte(text)) // who asked has gone
}
