package pgserver

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/errors"
)

// Copy starts a server on a copy of the data of s, which is halted for it, as a backup
// of its disks would be. It is a standby of s until it is promoted when the settings,
// which come over those of s, name a slot of s for it, primary_slot_name. The caller
// must call [Server.Stop].
func (s *Server) Copy(ctx context.Context, settings map[string]string) (*Server, error) {
	if err := s.Halt(ctx, false); err != nil {
		return nil, err
	}
	home, err := newHome(filepath.Dir(s.home.dir))
	if err != nil {
		return nil, err
	}
	c := &Server{major: s.major, binDir: s.binDir, home: home, password: s.password}
	err = c.copyFrom(ctx, s, settings)
	if resumeErr := s.Resume(ctx); err == nil {
		err = resumeErr
	}
	if err == nil {
		err = c.configure(ctx, settings)
	}
	if err != nil {
		return nil, errors.CombineErrors(err, c.Stop()) //nolint:contextcheck // cleans up whatever ended ctx
	}
	return c, nil
}

func (s *Server) copyFrom(ctx context.Context, from *Server, settings map[string]string) error {
	out, err := runContext(ctx, s.home.command("cp", "-a", from.home.data(), s.home.data()))
	if err != nil {
		return errors.WithDetail(errors.Wrap(err, "copy the server's data"), strings.TrimSpace(out))
	}
	if settings["primary_slot_name"] == "" {
		return nil
	}
	path := filepath.Join(s.home.data(), "standby.signal")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return errors.Wrap(err, "make the copy a standby")
	}
	return s.home.own(path)
}
