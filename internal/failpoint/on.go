//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/errors"
)

var state struct {
	sync.Mutex

	name   string
	signal syscall.Signal
	left   int // hits of name before it acts
	trace  *os.File
	err    error // of the environment
}

func init() {
	if spec := os.Getenv("WALFERRY_FAILPOINT"); spec != "" {
		state.name, state.signal, state.left, state.err = parse(spec)
	}
	if path := os.Getenv("WALFERRY_FAILPOINT_TRACE"); path != "" && state.err == nil {
		state.trace, state.err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	if state.err != nil {
		fail(state.err)
	}
}

// fail ends the program: a run whose places are not what a test asked for proves nothing.
func fail(err error) {
	fmt.Fprintln(os.Stderr, "walferry: error:", err)
	os.Exit(2) //nolint:forbidigo // nobody above could do anything else
}

// parse reads NAME=ACTION@N.
func parse(spec string) (name string, signal syscall.Signal, n int, err error) {
	name, action, _ := strings.Cut(spec, "=")
	action, count, _ := strings.Cut(action, "@")
	n, err = strconv.Atoi(count)
	signals := map[string]syscall.Signal{"kill": syscall.SIGKILL, "stop": syscall.SIGSTOP}
	signal, known := signals[action]
	if err != nil || !known || n < 1 || name == "" {
		return "", 0, 0, errors.Newf("WALFERRY_FAILPOINT is %q, not NAME=kill@N or NAME=stop@N", spec)
	}
	return name, signal, n, nil
}

// Hit says that the place called name is passed. Safe for concurrent use.
func Hit(name string) {
	state.Lock()
	defer state.Unlock()
	if state.trace != nil {
		if _, err := state.trace.WriteString(name + "\n"); err != nil {
			fail(err)
		}
	}
	if name != state.name {
		return
	}
	state.left--
	if state.left != 0 {
		return
	}
	// The signal is delivered before the call returns, or very soon after: nobody
	// passes another place meanwhile, and this goroutine does not go on.
	if err := syscall.Kill(os.Getpid(), state.signal); err != nil {
		fail(err)
	}
	if state.signal == syscall.SIGKILL {
		select {}
	}
}
