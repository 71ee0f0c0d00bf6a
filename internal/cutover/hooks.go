package cutover

import (
	"bytes"
	"context"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
)

// Hooks are the executables walferry-on-<step> of a directory, each run just
// before its step. One that exits with anything but zero refuses the step.
type Hooks struct {
	// Dir is where they are; empty means there are none.
	Dir string
	// Facts adds to the environment, as NAME=value.
	Facts func() []string
	// Output takes what they write; nil discards.
	Output io.Writer
}

// Run runs the hook called name, if there is one.
func (h Hooks) Run(ctx context.Context, a Actions, name string) error {
	path, err := h.find(name)
	if err != nil || path == "" {
		return err
	}
	return a.Do(ctx, "run the hook "+path, func(ctx context.Context) error { return h.start(ctx, path, name) })
}

// find returns the hook's path, empty when there is none.
func (h Hooks) find(name string) (string, error) {
	if h.Dir == "" {
		return "", nil
	}
	path := filepath.Join(h.Dir, "walferry-on-"+name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", nil
	case err != nil:
		return "", errors.Wrap(err, "look for a hook")
	case info.IsDir() || info.Mode()&0o111 == 0:
		return "", errors.WithHint(errors.Newf("hook %s is not executable", path), "run chmod +x on it, or remove it")
	}
	return path, nil
}

func (h Hooks) start(ctx context.Context, path, name string) error {
	var tail bytes.Buffer
	cmd := osexec.CommandContext(ctx, path)
	cmd.Env = append(os.Environ(), "WALFERRY_STEP="+name)
	if h.Facts != nil {
		cmd.Env = append(cmd.Env, h.Facts()...)
	}
	cmd.Stdout, cmd.Stderr = &tail, &tail
	if h.Output != nil {
		cmd.Stdout = io.MultiWriter(&tail, h.Output)
		cmd.Stderr = cmd.Stdout
	}
	cmd.WaitDelay = time.Second // a child of the hook may keep its output open
	err := cmd.Run()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil {
		return nil
	}
	err = errors.Wrapf(err, "hook %s refused", path)
	if text := strings.TrimSpace(tail.String()); text != "" {
		err = errors.WithDetailf(err, "it said: %s", strings.ToValidUTF8(text[:min(len(text), 2000)], ""))
	}
	return err
}

// Check fails when the directory of the hooks is not there, or holds a file named
// like a hook that none of the steps will run.
func (h Hooks) Check(steps []string) error {
	if h.Dir == "" {
		return nil
	}
	entries, err := os.ReadDir(h.Dir)
	if err != nil {
		return errors.Wrap(err, "read the directory of hooks")
	}
	known := map[string]bool{}
	for _, name := range steps {
		known["walferry-on-"+name] = true
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "walferry-on-") && !known[e.Name()] {
			err := errors.Newf("hook %s would never run", filepath.Join(h.Dir, e.Name()))
			return errors.WithHintf(err, "the steps are %s", strings.Join(steps, ", "))
		}
	}
	for _, name := range steps {
		if _, err := h.find(name); err != nil {
			return err
		}
	}
	return nil
}
