package pgtest

import (
	"fmt"
	"os"
	"os/signal"
	"testing"
)

// keepVariable, when it is not empty, keeps the servers and databases of failed
// tests until the test binary is interrupted, so that one can look into them.
const keepVariable = "WALFERRY_TEST_KEEP"

// kept reports whether what the test used must stay.
func kept(tb testing.TB) bool {
	tb.Helper()
	return tb.Failed() && os.Getenv(keepVariable) != ""
}

// waitForInterrupt holds the servers for whoever wants to look.
func waitForInterrupt() {
	interrupt := make(chan os.Signal, 1) // a second interrupt may be lost
	signal.Notify(interrupt, os.Interrupt)
	defer signal.Stop(interrupt)
	fmt.Fprintln(os.Stderr, "the servers of failed tests run until this is interrupted")
	<-interrupt
}
