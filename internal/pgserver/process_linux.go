package pgserver

import (
	"os/exec"
	"syscall"
)

// isolate makes cmd run as user, out of reach of the terminal's signals, and
// shut down at once when this process dies, however it dies.
func isolate(cmd *exec.Cmd, user account) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if user.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{
			Uid: uint32(user.uid), Gid: uint32(user.gid),
		}
	}
}
