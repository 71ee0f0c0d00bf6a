//go:build !unix

package pgserver

import "os/exec"

// isolate does nothing on this system: pgbin finds no server that could be run.
func isolate(*exec.Cmd, account) {}
