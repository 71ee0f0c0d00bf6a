package demo

import (
	"context"
	"crypto/rand"
	"net/url"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgbin"
	"github.com/walferry/walferry/internal/pgserver"
	"github.com/walferry/walferry/internal/sqltext"
)

// The database that is migrated, and the role that owns it on both sides.
const (
	database = "shop"
	owner    = "shop_owner"
)

// side is one of the two servers.
type side struct {
	name   string // source or target
	server *pgserver.Server
	// uri connects the owner to the database. It contains the password.
	uri     string
	info    *conninfo.Info
	version string
}

// startSide starts a server with an empty database whose owner may do what
// rights say.
func startSide(ctx context.Context, name string, major int, rights string) (_ *side, err error) {
	bin, err := pgbin.Server(ctx, major)
	if err != nil {
		return nil, err
	}
	s := &side{name: name}
	// Nobody else on the machine may use these servers, for a superuser may run programs.
	if s.server, err = pgserver.Start(ctx, pgserver.Options{Major: major, BinDir: bin, Password: rand.Text()}); err != nil {
		return nil, errors.Wrapf(err, "start the %s", name)
	}
	if err := s.prepare(ctx, rights); err != nil {
		return nil, errors.CombineErrors(errors.Wrapf(err, "prepare the %s", name), s.server.Stop()) //nolint:contextcheck // cleans up whatever ended ctx
	}
	return s, nil
}

func (s *side) prepare(ctx context.Context, rights string) error {
	password := rand.Text()
	conn, err := pgx.Connect(ctx, s.server.URI("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost
	s.version = conn.PgConn().ParameterStatus("server_version")
	for _, sql := range []string{
		"CREATE ROLE " + owner + " LOGIN " + rights + " PASSWORD " + sqltext.Literal(password),
		"CREATE DATABASE " + database + " OWNER " + owner,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return errors.Wrap(err, "create role and database")
		}
	}
	uri, err := url.Parse(s.server.URI(database))
	if err != nil {
		return errors.Wrap(err, "parse the server's address")
	}
	uri.User = url.UserPassword(owner, password)
	s.uri = uri.String()
	s.info, err = conninfo.Parse(s.name, s.uri)
	return err
}

// report describes the server for the story.
func (s *side) report() Server {
	return Server{Version: s.version, Programs: s.server.BinDir(), Port: s.server.Port()}
}
