// Command walferry moves a live PostgreSQL database to another server.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/engine"
)

// Exit statuses, as docs/reference/cli.md has them.
const (
	exitDone    = 0
	exitError   = 1
	exitNo      = 2 // asked, and the answer is no
	exitStopped = 3 // by a signal, with the checkpoint saved
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	stop := make(chan struct{})
	go func() { // ends with the process
		<-signals
		close(stop)
		<-signals
		cancel()
	}()
	cmd := newRoot(&app{stop: stop, stdout: os.Stdout, stderr: os.Stderr})
	err := cmd.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil {
		err = aborted(err)
	}
	return exitStatus(err, os.Stderr)
}

// aborted says that a second signal ended a command, and what the command says of how it
// left things.
func aborted(cause error) error {
	err := errors.New("aborted by a second signal")
	for _, detail := range errors.GetAllDetails(cause) {
		err = errors.WithDetail(err, detail)
	}
	return errors.WithHint(err, "the last checkpoint holds: run the same command again to resume")
}

// exitStatus prints an error the way PostgreSQL's programs do and chooses the exit status.
func exitStatus(err error, stderr *os.File) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errNo):
		return exitNo
	case errors.Is(err, engine.ErrStopped):
		printError(stderr, err)
		return exitStopped
	case errors.IsAny(err, engine.ErrBlocked, engine.ErrDiffer):
		printError(stderr, err)
		return exitNo
	}
	printError(stderr, err)
	return exitError
}
