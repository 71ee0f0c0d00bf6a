package pgserver

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// startTimeout bounds how long a server may take to accept connections.
	startTimeout = 60 * time.Second
	// haltTimeout bounds a shutdown; after it the server is killed.
	haltTimeout = 30 * time.Second
	pollEvery   = 20 * time.Millisecond
)

// Resume starts a halted server and returns when it accepts connections.
func (s *Server) Resume(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return nil
	}
	log, err := s.home.openLog()
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own descriptor
	cmd := s.home.command(s.program("postgres"), "-D", s.home.data())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return errors.Wrapf(err, "start %s", cmd.Path)
	}
	exited := make(chan struct{})
	// Ended and waited for by Halt, which every server sees.
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how a killed server exits says nothing
	}()
	if err := s.waitReady(ctx, exited); err != nil {
		if quit := cmd.Process.Signal(syscall.SIGQUIT); quit != nil && !errors.Is(quit, os.ErrProcessDone) {
			return errors.CombineErrors(err, errors.Wrap(quit, "end the server that did not start"))
		}
		<-exited
		err = errors.Wrapf(err, "start PostgreSQL %d on port %d", errors.Safe(s.major), errors.Safe(s.port))
		return errors.WithDetail(err, s.LogTail(20))
	}
	s.process, s.exited = cmd, exited
	return nil
}

// waitReady polls until the server takes a connection or its process has ended.
func (s *Server) waitReady(ctx context.Context, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("no connection within a minute"))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		conn, err := pgconn.Connect(ctx, s.URI("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-exited:
			return errors.New("the server exited")
		case <-ctx.Done():
			return errors.CombineErrors(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Halt stops the server and keeps its data: fast, or immediate as by a crash.
// A server that is halted already stays so.
func (s *Server) Halt(ctx context.Context, immediate bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	signal := syscall.SIGINT
	if immediate {
		signal = syscall.SIGQUIT
	}
	_ = s.process.Process.Signal(signal) // it may have exited
	timer := time.NewTimer(haltTimeout)
	defer timer.Stop()
	var err error
	select {
	case <-s.exited:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = errors.Newf("PostgreSQL %d on port %d did not stop within %s", s.major, s.port, haltTimeout)
	}
	if err != nil {
		_ = s.process.Process.Kill() // it may have exited
		<-s.exited
	}
	s.process, s.exited = nil, nil
	return err
}

// Running reports whether the server process is there. It is false while the
// server is halted and after a crash.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// runContext runs cmd to its end and returns its output; ctx kills it.
func runContext(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	return out.String(), err
}

// tail returns the last lines of a file, or why there are none.
func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
