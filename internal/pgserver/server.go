package pgserver

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/pgbin"
)

// Options say which server to run. Only Major is required.
type Options struct {
	// Major is the major version, for example 17.
	Major int
	// BinDir holds initdb and postgres. Default: what pgbin.Server finds.
	BinDir string
	// Parent is the directory in which the server's own directory is made.
	// Other users must be able to enter it when we are root. Default: os.TempDir.
	Parent string
	// Password of the superuser postgres. Empty means that everybody is trusted.
	Password string
	// Settings are written to postgresql.conf, over the defaults of this package.
	Settings map[string]string
}

// Server is one running, or halted, server. Its methods are safe for concurrent use.
type Server struct {
	major    int
	binDir   string
	home     *home
	password string
	port     int

	mu      sync.Mutex
	process *exec.Cmd     // nil while halted
	exited  chan struct{} // closed when process has been waited for
}

// Start makes a data directory and starts a server on it. It returns when the
// server accepts connections. The caller must call [Server.Stop].
func Start(ctx context.Context, o Options) (*Server, error) {
	binDir := o.BinDir
	if binDir == "" {
		var err error
		if binDir, err = pgbin.Server(ctx, o.Major); err != nil {
			return nil, err
		}
	}
	home, err := newHome(o.Parent)
	if err != nil {
		return nil, err
	}
	s := &Server{major: o.Major, binDir: binDir, home: home, password: o.Password}
	if err := s.create(ctx, o.Settings); err != nil {
		return nil, errors.CombineErrors(err, s.Stop()) //nolint:contextcheck // cleans up whatever ended ctx
	}
	return s, nil
}

// Major returns the server's major version.
func (s *Server) Major() int { return s.major }

// Port returns the TCP port on 127.0.0.1. It never changes.
func (s *Server) Port() int { return s.port }

// DataDir returns the data directory.
func (s *Server) DataDir() string { return s.home.data() }

// Own gives a file to the account that the server runs as.
func (s *Server) Own(path string) error { return s.home.own(path) }

// SocketDir returns the directory of the Unix socket.
func (s *Server) SocketDir() string { return s.home.dir }

// BinDir returns the directory of the server's programs.
func (s *Server) BinDir() string { return s.binDir }

// URI returns the connection URI of a database, as the superuser over TCP.
// With a password set, it contains the password.
func (s *Server) URI(database string) string {
	user := url.User("postgres")
	if s.password != "" {
		user = url.UserPassword("postgres", s.password)
	}
	uri := url.URL{
		Scheme:   "postgres",
		User:     user,
		Host:     "127.0.0.1:" + strconv.Itoa(s.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return uri.String()
}

// Restart stops and starts the server on the same port and data. With immediate
// it is killed as by a crash, and recovers.
func (s *Server) Restart(ctx context.Context, immediate bool) error {
	if err := s.Halt(ctx, immediate); err != nil {
		return err
	}
	return s.Resume(ctx)
}

// Stop kills the server and removes its directory. A second call does nothing.
func (s *Server) Stop() error {
	haltErr := s.Halt(context.Background(), true)
	return errors.CombineErrors(haltErr, s.home.remove())
}

// LogTail returns the last lines of the server's log, for error reports.
func (s *Server) LogTail(lines int) string {
	return tail(s.home.log(), lines)
}

func (s *Server) program(name string) string { return filepath.Join(s.binDir, name) }

// writePassword keeps the password out of initdb's arguments.
func (s *Server) writePassword() (string, error) {
	path := filepath.Join(s.home.dir, "password")
	if err := os.WriteFile(path, []byte(s.password+"\n"), 0o600); err != nil {
		return "", errors.Wrap(err, "write the password file for initdb")
	}
	return path, s.home.own(path)
}
