package engine_test

import (
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
)

// process is a walferry of its own, so that it can be killed.
type process struct {
	*program.Process

	tb testing.TB
}

// start runs walferry with args.
func start(tb testing.TB, args ...string) *process {
	tb.Helper()
	path, err := binary()
	if err != nil {
		tb.Fatalf("build walferry: %+v", err)
	}
	from, _ := pgtest.Majors()
	return &process{program.Start(tb, path, []string{"WALFERRY_PGBIN=" + pgtest.Client(tb, from)}, args...), tb}
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
	if got := p.Wait(); got != status {
		p.tb.Fatalf("walferry exited with %d, want %d", got, status)
	}
}

// kill ends walferry the way a crash would.
func (p *process) kill() {
	p.tb.Helper()
	if err := p.Kill(); err != nil {
		p.tb.Fatal(err)
	}
	if p.Cmd.ProcessState.Exited() {
		p.tb.Fatalf("walferry had ended before it was killed, with status %d", p.Cmd.ProcessState.ExitCode())
	}
}

func (p *process) signal(s syscall.Signal) {
	if err := p.Signal(s); err != nil {
		p.tb.Error(err)
	}
}

// running reports whether walferry has not ended yet.
func (p *process) running() bool { return p.Running() }
