package source

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// roundTrip is the shortest round trip that the kernel has seen on the connection.
func roundTrip(conn *net.TCPConn) (time.Duration, bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info *unix.TCPInfo
	controlErr := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if controlErr != nil || err != nil || info.Min_rtt == 0 {
		return 0, false
	}
	return time.Duration(info.Min_rtt) * time.Microsecond, true
}
