//go:build unix && !linux

package pgserver

import (
	"os/exec"
	"syscall"
)

// isolate makes cmd run as user and out of reach of the terminal's signals.
// This system has no signal for a parent's death.
func isolate(cmd *exec.Cmd, user account) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if user.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{
			Uid: uint32(user.uid), Gid: uint32(user.gid),
		}
	}
}
