package pgserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/filelock"
)

const (
	homePrefix = "walferry-pg-"
	lockName   = "owner.lock"
	dataName   = "data"
)

// home is the directory of one server: data, log, socket, and the lock that
// tells others that its owner lives.
type home struct {
	dir  string
	user account
	lock *os.File
}

// newHome makes the directory and takes its lock. First it removes what
// processes that were killed have left under parent.
func newHome(parent string) (*home, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent)
	user, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, homePrefix)
	if err != nil {
		return nil, errors.Wrap(err, "make a directory for the server")
	}
	h := &home{dir: dir, user: user}
	if err := h.takeLock(); err != nil {
		return nil, errors.CombineErrors(err, os.RemoveAll(dir))
	}
	return h, errors.Wrap(h.own(dir), "give the server its directory")
}

// takeLock locks a file and only then gives it the name that others look for:
// there is no moment in which a living owner's lock is free.
func (h *home) takeLock() error {
	path := filepath.Join(h.dir, lockName)
	file, err := os.Create(path + ".new")
	if err != nil {
		return errors.Wrap(err, "make the server's lock file")
	}
	h.lock = file
	if !filelock.Try(file) {
		return errors.Newf("lock %s: held by another process", path)
	}
	return errors.Wrap(os.Rename(path+".new", path), "name the server's lock file")
}

// sweep removes the directories under parent whose owner has died. It is best
// effort: what belongs to another user stays.
func sweep(parent string) {
	locks, err := filepath.Glob(filepath.Join(parent, homePrefix+"*", lockName))
	if err != nil {
		return
	}
	for _, path := range locks {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		// The lock goes last: what cannot be removed yet must be found again.
		if filelock.Try(file) && os.RemoveAll(filepath.Join(filepath.Dir(path), dataName)) == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		_ = file.Close()
	}
}

func (h *home) data() string { return filepath.Join(h.dir, dataName) }

func (h *home) log() string { return filepath.Join(h.dir, "log") }

// own gives path to the account that the server runs as.
func (h *home) own(path string) error {
	if !h.user.other {
		return nil
	}
	return os.Chown(path, h.user.uid, h.user.gid)
}

func (h *home) openLog() (*os.File, error) {
	file, err := os.OpenFile(h.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return file, errors.Wrap(err, "open the server's log")
}

// command prepares a program to run as the server's account, in its directory,
// and to die with this process.
func (h *home) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = h.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), isLibpq), "LC_ALL=C", "TZ=UTC")
	isolate(cmd, h.user)
	return cmd
}

// isLibpq finds the variables that would change what a server or initdb does.
func isLibpq(variable string) bool { return strings.HasPrefix(variable, "PG") }

// remove deletes the directory and gives up the lock.
func (h *home) remove() error {
	err := os.RemoveAll(h.dir)
	if h.lock != nil {
		err = errors.CombineErrors(err, h.lock.Close())
		h.lock = nil
	}
	return errors.Wrap(err, "remove the server's directory")
}
