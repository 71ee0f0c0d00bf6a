package conninfo

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Info says how to reach one database. It is immutable and safe for concurrent use.
type Info struct {
	side   string
	params params
	config *pgx.ConnConfig
	// ignored are the keys without effect.
	ignored []string
}

// Parse reads a libpq URI or key/value string and completes it from the
// environment, the service file and the password file, as psql would. Side is
// "source" or "target" and goes into errors.
func Parse(side, conn string) (*Info, error) {
	p, err := parse(conn)
	if err != nil {
		return nil, errors.Wrapf(err, "parse %s connection string", side)
	}
	i, err := build(side, p)
	if err != nil {
		return nil, errors.Wrapf(err, "parse %s connection string", side)
	}
	return i, nil
}

var (
	plainKey    = regexp.MustCompile(`^[a-z_]{1,40}$`)
	otherScheme = regexp.MustCompile(`^([a-z0-9+]{1,20}(:[a-z]{1,20})?)://`)
)

func parse(conn string) (params, error) {
	conn = strings.Trim(conn, space)
	switch {
	case conn == "":
		return nil, errors.WithHint(errors.New("it is empty"),
			`Give a URI such as postgresql://user@host:5432/dbname. To take everything from PG* variables, write "postgresql://".`)
	case strings.IndexByte(conn, 0) >= 0:
		return nil, errors.New("it contains a NUL byte")
	}
	if rest, isURI := cutScheme(conn); isURI {
		return parseURI(rest)
	}
	if m := otherScheme.FindStringSubmatch(conn); m != nil {
		return nil, errors.WithHint(errors.Newf("%q is not a scheme of PostgreSQL", m[1]), "Write postgresql:// instead.")
	}
	if !strings.Contains(conn, "=") {
		return nil, errors.WithHint(errors.New("it is neither a URI nor key=value pairs"),
			"Write postgresql://user@host:5432/dbname or \"host=… dbname=…\"; a database name alone is written dbname=NAME.")
	}
	return parseKeyValue(conn)
}

// checkKey refuses what libpq does not know. A key that follows a password may
// be the rest of one that was not quoted, so it is not shown.
func checkKey(before params, key string) error {
	if slices.Contains(keys, key) {
		return nil
	}
	afterSecret := slices.ContainsFunc(before, func(o param) bool { return slices.Contains(secrets, o.key) })
	if afterSecret || !plainKey.MatchString(key) {
		return errors.WithHint(errors.New("an unknown parameter, not shown since it may be a part of the password"),
			"Quote the password (key=value form: password='…') or percent-encode it (URI), and take out parameters that psql does not know.")
	}
	return errors.WithHint(errors.Newf("unknown parameter %q", key),
		"Take it out: PostgreSQL's own tools would refuse it, too. Server settings go into options=-c name=value.")
}

// environment maps variables that pgx does not read to their keys.
var environment = map[string]string{
	"PGHOSTADDR":              "hostaddr",
	"PGSSLMINPROTOCOLVERSION": "ssl_min_protocol_version",
	"PGSSLMAXPROTOCOLVERSION": "ssl_max_protocol_version",
}

func build(side string, p params) (*Info, error) {
	config, err := pgxConfig(p)
	if err != nil {
		return nil, err
	}
	if config.Database == "" {
		// The server would choose the same, but the password file is looked up by it.
		if config, err = pgxConfig(p.with("dbname", config.User)); err != nil {
			return nil, err
		}
	}
	i := &Info{side: side, params: p, config: config}
	for _, key := range unsupported {
		if _, given := p.lookup(key); given {
			i.ignored = append(i.ignored, key)
		}
	}
	return i, nil
}

// Side is what Parse was given: "source" or "target".
func (i *Info) Side() string { return i.side }

// Database is the name of the database, the user's name when none was given.
func (i *Info) Database() string { return i.config.Database }

// User is the role to connect as.
func (i *Info) User() string { return i.config.User }

// Ignored names the parameters of the string that have no effect, so that they
// can be told to the user.
func (i *Info) Ignored() []string { return slices.Clone(i.ignored) }

// WithDatabase returns the same connection to another database of the server.
func (i *Info) WithDatabase(database string) *Info {
	o, err := build(i.side, i.params.with("dbname", database))
	if err == nil {
		return o
	}
	// Files that the string names may be gone by now; what they held is here.
	c := i.config.Copy()
	c.Database = database
	return &Info{side: i.side, params: i.params.with("dbname", database), config: c, ignored: i.ignored}
}

// String describes the connection, without any secret.
func (i *Info) String() string {
	hosts, ports := i.addresses()
	return params{
		{"host", strings.Join(hosts, ",")},
		{"port", strings.Join(ports, ",")},
		{"dbname", i.config.Database},
		{"user", i.config.User},
	}.keyValue()
}

// GoString is String, so that %#v shows no secret either.
func (i *Info) GoString() string { return i.String() }

// address is host:port/database, with every host.
func (i *Info) address() string {
	hosts, ports := i.addresses()
	for n := range hosts {
		if strings.Contains(hosts[n], ":") {
			hosts[n] = "[" + hosts[n] + "]"
		}
		hosts[n] += ":" + ports[n]
	}
	return strings.Join(hosts, ",") + "/" + i.config.Database
}

// addresses lists hosts and ports; TLS alternatives of one host count once.
func (i *Info) addresses() (hosts, ports []string) {
	all := append([]*pgconn.FallbackConfig{{Host: i.config.Host, Port: i.config.Port}}, i.config.Fallbacks...)
	for n, f := range all {
		if n > 0 && f.Host == all[n-1].Host && f.Port == all[n-1].Port {
			continue
		}
		hosts = append(hosts, f.Host)
		ports = append(ports, strconv.Itoa(int(f.Port)))
	}
	return hosts, ports
}

// Child returns the connection for a program of PostgreSQL's: a key/value string
// without secrets, and the environment entries to add to the caller's own
// environment. The password is in there only if the user's string held one;
// else the program finds it where this process did. A passphrase for a client
// key is not passed on.
func (i *Info) Child() (conninfo string, env []string) {
	if password, given := i.params.lookup("password"); given {
		env = append(env, "PGPASSWORD="+password)
	}
	return i.params.without(append(slices.Clone(secrets), ours...)...).keyValue(), env
}
