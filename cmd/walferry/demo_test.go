package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/walferry/walferry/internal/demo"
)

func TestDemo_EndsEqualAndLeavesNothing(t *testing.T) {
	t.Parallel()
	cmd, temp := command(t, "demo", "--scale", "1", "--duration", "1s", "--writers", "2", "--json", "--progress", "plain")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, stderr.String(), out)
	}
	var r demo.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if !r.Equal || r.TablesCompared == 0 || r.Changes == 0 {
		t.Errorf("the report is %s", out)
	}
	for _, phase := range []string{"copying", "streaming", "done"} {
		if !strings.Contains(stderr.String(), "walferry: "+phase) {
			t.Errorf("no progress of phase %s in:\n%s", phase, stderr.String())
		}
	}
	nothingLeft(t, temp)
	for _, s := range []demo.Server{r.Source, r.Target} {
		if reachable(strconv.Itoa(s.Port)) {
			t.Errorf("the server on port %d is left running", s.Port)
		}
	}
}

// TestDemo_Interrupted ends a demo by signals, at moments that its output tells.
func TestDemo_Interrupted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, moment string
		signal       os.Signal
	}{
		{"starting the servers", "finding PostgreSQL", os.Interrupt},
		{"copying", "walferry: copying", syscall.SIGTERM},
		{"killed", "walferry: streaming", os.Kill},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd, temp := command(t, "demo", "--scale", "1", "--duration", "1h", "--progress", "plain")
			text := runUntil(t, cmd, test.moment, test.signal)
			if test.signal != os.Kill {
				if got := cmd.ProcessState.ExitCode(); got != exitError {
					t.Errorf("exit status %d, want %d:\n%s", got, exitError, text)
				}
				if !strings.HasSuffix(text, "walferry: error: interrupted\n") {
					t.Errorf("it does not say that it was interrupted:\n%s", text)
				}
				nothingLeft(t, temp)
			}
			// The kernel tells the servers of a killed process, which takes a moment.
			for _, found := range regexp.MustCompile(`on port (\d+)`).FindAllStringSubmatch(text, -1) {
				for test.signal == os.Kill && reachable(found[1]) {
					runtime.Gosched()
				}
				if reachable(found[1]) {
					t.Errorf("the server on port %s is left running", found[1])
				}
			}
		})
	}
}

// runUntil starts cmd, sends the signal when a line of its output contains
// moment, and returns all of the output once it has ended.
func runUntil(t *testing.T, cmd *exec.Cmd, moment string, signal os.Signal) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	reached := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if !reached && strings.Contains(lines.Text(), moment) {
			reached = true
			if err := cmd.Process.Signal(signal); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !reached {
		t.Fatalf("it ended before %q:\n%s", moment, text.String())
	}
	return text.String()
}

func nothingLeft(t *testing.T, temp string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func reachable(port string) bool {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	return err == nil && conn.Close() == nil
}
