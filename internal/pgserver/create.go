package pgserver

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
)

// defaults suit a server that is thrown away.
var defaults = map[string]string{
	"fsync":              "off",
	"full_page_writes":   "off",
	"wal_level":          "logical",
	"shared_buffers":     "64MB",
	"listen_addresses":   "127.0.0.1",
	"log_line_prefix":    "%m [%p] %q%d %a ",
	"log_statement":      "none",
	"lc_messages":        "C",
	"max_wal_size":       "4GB",
	"checkpoint_timeout": "30min",
}

// portAttempts bounds how often a port that somebody else took meanwhile is replaced.
const portAttempts = 5

// create runs initdb and starts the server.
func (s *Server) create(ctx context.Context, settings map[string]string) error {
	if err := s.initdb(ctx); err != nil {
		return err
	}
	return s.configure(ctx, settings)
}

// configure writes the settings and starts the server, on another port when the chosen
// one was taken between our look and the server's bind.
func (s *Server) configure(ctx context.Context, settings map[string]string) error {
	conf := filepath.Join(s.home.data(), "postgresql.conf")
	base, err := os.ReadFile(conf)
	if err != nil {
		return errors.Wrap(err, "read the new server's configuration")
	}
	for attempt := 1; ; attempt++ {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err := os.WriteFile(conf, append(base, s.configuration(settings)...), 0o600); err != nil {
			return errors.Wrap(err, "write the new server's configuration")
		}
		err := s.Resume(ctx)
		if err == nil || attempt == portAttempts || !strings.Contains(s.LogTail(50), "Address already in use") {
			return err
		}
	}
}

func (s *Server) initdb(ctx context.Context) error {
	args := []string{
		"-D", s.home.data(), "-U", "postgres", "--encoding=UTF8", "--locale=C",
		"--no-sync", "--no-instructions",
	}
	if s.major < 14 {
		args = args[:len(args)-1]
	}
	if s.password == "" {
		args = append(args, "--auth=trust")
	} else {
		file, err := s.writePassword()
		if err != nil {
			return err
		}
		args = append(args, "--auth=scram-sha-256", "--pwfile="+file)
	}
	cmd := s.home.command(s.program("initdb"), args...)
	out, err := runContext(ctx, cmd)
	if err != nil {
		err = errors.Wrapf(err, "run initdb of PostgreSQL %d in %s", errors.Safe(s.major), s.home.dir)
		return errors.WithDetail(err, strings.TrimSpace(out))
	}
	return nil
}

// configuration renders the settings as lines of postgresql.conf, sorted.
func (s *Server) configuration(settings map[string]string) string {
	all := maps.Clone(defaults)
	all["port"] = strconv.Itoa(s.port)
	all["unix_socket_directories"] = s.home.dir
	maps.Copy(all, settings)
	var b strings.Builder
	b.WriteByte('\n')
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(all[name], "'", "''"))
	}
	return b.String()
}

// freePort chooses a port below the range that outgoing connections use, so
// that a client's socket never takes it while the server is halted.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			last = err
			continue
		}
		return port, errors.Wrapf(l.Close(), "close the probe of port %d", port)
	}
	return 0, errors.Wrap(last, "find a free port on 127.0.0.1")
}
