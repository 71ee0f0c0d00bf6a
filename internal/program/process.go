package program

import (
	"bytes"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/errors"
)

// Process is a program at work. Its methods are safe for concurrent use, but for the
// fields of Cmd.
type Process struct {
	Cmd *exec.Cmd
	// Stdout and Stderr are what has been printed so far.
	Stdout, Stderr Output

	exited chan struct{}
}

// Start runs the program at path with the test's environment and more; the last
// value of a variable counts. What is left of it when the test ends is killed, and
// what it printed is shown when the test has failed.
func Start(tb testing.TB, path string, env []string, args ...string) *Process {
	tb.Helper()
	p := &Process{Cmd: exec.Command(path, args...), exited: make(chan struct{})}
	p.Cmd.Env = append(os.Environ(), env...)
	p.Cmd.Stdout, p.Cmd.Stderr = &p.Stdout, &p.Stderr
	if err := p.Cmd.Start(); err != nil {
		tb.Fatalf("start walferry: %v", err)
	}
	go func() {
		defer close(p.exited)
		// The status is read from the process state.
		if err := p.Cmd.Wait(); err != nil {
			return
		}
	}()
	tb.Cleanup(func() {
		if err := p.Kill(); err != nil {
			tb.Errorf("kill walferry: %v", err)
		}
		if tb.Failed() {
			tb.Logf("walferry %q\n%s%s", args, p.Stderr.String(), p.Stdout.String())
		}
	})
	return p
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Running reports whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Wait waits for the end and returns the exit status; -1 when a signal ended it.
func (p *Process) Wait() int {
	<-p.exited
	return p.Cmd.ProcessState.ExitCode()
}

// Signal sends a signal, also to a process that has ended.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.Cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrap(err, "signal walferry")
	}
	return nil
}

// Kill ends the process the way a crash would, and waits for its end.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// Output may be read while the process writes it.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns what has been written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
