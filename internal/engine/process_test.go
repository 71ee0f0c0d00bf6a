package engine_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/pgtest"
)

// process is a walferry of its own, so that it can be killed.
type process struct {
	tb     testing.TB
	cmd    *exec.Cmd
	stdout lockedBuffer
	stderr lockedBuffer
	exited chan struct{}
}

// start runs walferry with args.
func start(tb testing.TB, args ...string) *process {
	tb.Helper()
	path, err := binary()
	if err != nil {
		tb.Fatalf("build walferry: %v", err)
	}
	p := &process{tb: tb, cmd: exec.Command(path, args...), exited: make(chan struct{})}
	from, _ := pgtest.Majors()
	p.cmd.Env = append(os.Environ(), "WALFERRY_PGBIN="+pgtest.Client(tb, from))
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		tb.Fatalf("start walferry: %v", err)
	}
	go func() {
		defer close(p.exited)
		// The status is read from the process state.
		if err := p.cmd.Wait(); err != nil {
			return
		}
	}()
	tb.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.exited
		if tb.Failed() {
			tb.Logf("walferry %s\n%s%s", strings.Join(args, " "), p.stderr.String(), p.stdout.String())
		}
	})
	return p
}

// run runs walferry to its end and fails the test unless it exits with status.
func run(tb testing.TB, status int, args ...string) *process {
	tb.Helper()
	p := start(tb, args...)
	p.wait(status)
	return p
}

func (p *process) wait(status int) {
	p.tb.Helper()
	<-p.exited
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		p.tb.Fatalf("walferry exited with %d, want %d", got, status)
	}
}

// kill ends walferry the way a crash would.
func (p *process) kill() {
	p.tb.Helper()
	p.signal(syscall.SIGKILL)
	<-p.exited
	if p.cmd.ProcessState.Exited() {
		p.tb.Fatalf("walferry had ended before it was killed, with status %d", p.cmd.ProcessState.ExitCode())
	}
}

func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.tb.Errorf("signal walferry: %v", err)
	}
}

// running reports whether walferry has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// lockedBuffer may be read while the process writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Bytes returns a copy of what was written.
func (l *lockedBuffer) Bytes() []byte { return []byte(l.String()) }
