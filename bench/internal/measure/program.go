// Package measure starts the programs that the benchmarks compare, and reads what they
// and the servers use of the machine.
package measure

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/bench/internal/report"
)

// peakEvery is how often a program's peak size is read.
const peakEvery = 25 * time.Millisecond

// Program is a running program whose use of the machine is measured.
type Program struct {
	cmd    *exec.Cmd
	out    bytes.Buffer
	start  time.Time
	exited chan error
}

// Start starts a program. The caller must call Wait.
func Start(ctx context.Context, path string, args ...string) (*Program, error) {
	p := &Program{cmd: exec.CommandContext(ctx, path, args...), exited: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.start = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Wrapf(err, "start %s", path)
	}
	go func() { p.exited <- p.cmd.Wait() }() // Wait receives
	return p, nil
}

// Wait waits for the program's end and returns what it used: seconds, CPU and
// peak size. Exit statuses beside 0 that are expected are named in also.
func (p *Program) Wait(also ...int) (report.Sample, error) {
	var s report.Sample
	tick := time.NewTicker(peakEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.PeakBytes = max(s.PeakBytes, PeakBytes(p.cmd.Process.Pid))
			continue
		case err := <-p.exited:
			s.Seconds = time.Since(p.start).Seconds()
			state := p.cmd.ProcessState
			s.ClientCPU = (state.UserTime() + state.SystemTime()).Seconds()
			for _, status := range also {
				if state.ExitCode() == status {
					err = nil
				}
			}
			err = errors.Wrapf(err, "run %s", p.cmd.Path)
			return s, errors.WithDetail(err, strings.TrimSpace(p.out.String()))
		}
	}
}

// Signal sends the program a signal, also when it has ended.
func (p *Program) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrapf(err, "signal %s", p.cmd.Path)
	}
	return nil
}
