package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
)

// ticksPerSecond is the unit of /proc/PID/stat, the same on every Linux.
const ticksPerSecond = 100

// process is what /proc/PID/stat says of one process.
type process struct {
	parent int
	// own are the CPU ticks of the process, reaped those of its children that
	// have ended.
	own, reaped int64
}

// readProcess parses the fields behind the name, which may hold anything.
func readProcess(pid int) (process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return process{}, errors.Newf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	number := func(i int) int64 {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return process{parent: int(number(1)), own: number(11) + number(12), reaped: number(13) + number(14)}, nil
}

// TreeCPU returns the CPU seconds that a server has used so far: its first
// process, the children that run, and those that have ended.
func TreeCPU(dataDir string) (float64, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return 0, errors.Wrap(err, "find the server's process")
	}
	first, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0, errors.Wrap(err, "find the server's process")
	}
	for {
		root, err := readProcess(postmaster)
		if err != nil {
			return 0, errors.Wrap(err, "read the server's CPU time")
		}
		children, err := childrenTicks(postmaster)
		if err != nil {
			return 0, err
		}
		again, err := readProcess(postmaster)
		if err != nil {
			return 0, errors.Wrap(err, "read the server's CPU time")
		}
		if again.reaped == root.reaped { // else a child has ended in between
			return float64(root.own+root.reaped+children) / ticksPerSecond, nil
		}
	}
}

// childrenTicks returns the CPU ticks of the children that run.
func childrenTicks(parent int) (int64, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, errors.Wrap(err, "list processes")
	}
	var ticks int64
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		p, err := readProcess(pid)
		if err == nil && p.parent == parent { // else it has ended: the parent has its time
			ticks += p.own + p.reaped
		}
	}
	return ticks, nil
}

// PeakBytes returns the largest resident size that a running process has had; 0
// when it cannot be told. What a process leaves behind when it ends includes
// this program's own size before it became another.
func PeakBytes(pid int) int64 {
	kib, found := strings.CutSuffix(field(fmt.Sprintf("/proc/%d/status", pid), "VmHWM"), " kB")
	if !found {
		return 0
	}
	n, err := strconv.ParseInt(kib, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
