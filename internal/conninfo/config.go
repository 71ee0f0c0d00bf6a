package conninfo

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgservicefile"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connectTimeout holds when neither the string nor the environment has one.
const connectTimeout = 10 * time.Second

// pgxConfig completes the parameters as libpq does. pgx sees no secret, since
// its errors quote their input; it makes settings of the server of keys that it
// does not know, and those are taken out again.
func pgxConfig(p params) (*pgx.ConnConfig, error) {
	for name, key := range environment {
		if _, given := p.lookup(key); !given && os.Getenv(name) != "" {
			p = p.with(key, os.Getenv(name))
		}
	}
	p = withServiceFile(p)
	config, err := parseSafely(p)
	if err != nil {
		return nil, err
	}
	other := config.RuntimeParams
	if addr, given := other["hostaddr"]; given && addr != "" {
		if !hostGiven(p, config) {
			if config, err = parseSafely(p.with("host", addr)); err != nil {
				return nil, err
			}
		} else if config.LookupFunc, err = lookupFixed(config, addr); err != nil {
			return nil, err
		}
	}
	if password, given := p.lookup("password"); given {
		config.Password = password
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if err := limitTLS(config, other["ssl_min_protocol_version"], other["ssl_max_protocol_version"]); err != nil {
		return nil, err
	}
	dialer := &net.Dialer{KeepAliveConfig: keepAlive(other)}
	config.DialFunc = dialer.DialContext
	config.RuntimeParams = map[string]string{}
	if options := other["options"]; options != "" {
		config.RuntimeParams["options"] = options
	}
	return config, nil
}

// parseSafely lets pgx complete the parameters, with its errors reduced to what
// cannot quote the input.
func parseSafely(p params) (*pgx.ConnConfig, error) {
	sslPassword, _ := p.lookup("sslpassword")
	config, err := pgx.ParseConfigWithOptions(p.without(secrets...).keyValue(), pgx.ParseConfigOptions{
		ParseConfigOptions: pgconn.ParseConfigOptions{
			GetSSLPassword: func(context.Context) string { return sslPassword },
		},
	})
	if err == nil {
		return config, nil
	}
	// Its text begins with the input; the reason follows the closing backtick.
	reason := err.Error()
	if n := strings.LastIndex(reason, "`: "); n >= 0 {
		reason = reason[n+len("`: "):]
	}
	return nil, errors.Newf("%s", reason)
}

// withServiceFile names the system's service file when the user's own does not
// have the service.
func withServiceFile(p params) params {
	service, given := p.lookup("service")
	if !given {
		service = os.Getenv("PGSERVICE")
	}
	dir := os.Getenv("PGSYSCONFDIR")
	if _, given = p.lookup("servicefile"); given || service == "" || dir == "" || os.Getenv("PGSERVICEFILE") != "" {
		return p
	}
	if home, err := os.UserHomeDir(); err == nil {
		file, err := pgservicefile.ReadServicefile(filepath.Join(home, ".pg_service.conf"))
		if err == nil {
			if _, err = file.GetService(service); err == nil {
				return p
			}
		}
	}
	return p.with("servicefile", filepath.Join(dir, "pg_service.conf"))
}

// hostGiven tells a host that someone chose from the one that pgx assumes.
func hostGiven(p params, config *pgx.ConnConfig) bool {
	_, given := p.lookup("host")
	return given || os.Getenv("PGHOST") != "" || !strings.HasPrefix(config.Host, "/") && config.Host != "localhost"
}

// lookupFixed resolves the n-th host to the n-th address of hostaddr.
func lookupFixed(config *pgx.ConnConfig, hostaddr string) (pgconn.LookupFunc, error) {
	hosts, _ := (&Info{config: config}).addresses()
	addrs := strings.Split(hostaddr, ",")
	if len(addrs) != len(hosts) {
		return nil, errors.Newf("%d addresses in hostaddr for %d hosts", len(addrs), len(hosts))
	}
	fixed := make(map[string][]string, len(hosts))
	for n, addr := range addrs {
		if addr != "" {
			fixed[hosts[n]] = append(fixed[hosts[n]], addr)
		}
	}
	resolve := config.LookupFunc
	return func(ctx context.Context, host string) ([]string, error) {
		if found := fixed[host]; found != nil {
			return found, nil
		}
		return resolve(ctx, host)
	}, nil
}

// keepAlive notices a dead peer within about a minute and a half, unless the
// user has other wishes.
func keepAlive(other map[string]string) net.KeepAliveConfig {
	seconds := func(key string, standard int) int {
		if n, err := strconv.Atoi(other[key]); err == nil && n > 0 {
			return n
		}
		return standard
	}
	return net.KeepAliveConfig{
		Enable:   other["keepalives"] != "0",
		Idle:     time.Duration(seconds("keepalives_idle", 30)) * time.Second,
		Interval: time.Duration(seconds("keepalives_interval", 10)) * time.Second,
		Count:    seconds("keepalives_count", 6),
	}
}

var tlsVersions = map[string]uint16{
	"tlsv1": tls.VersionTLS10, "tlsv1.1": tls.VersionTLS11, "tlsv1.2": tls.VersionTLS12, "tlsv1.3": tls.VersionTLS13,
}

func limitTLS(config *pgx.ConnConfig, lowest, highest string) error {
	lo, knownLo := tlsVersions[strings.ToLower(lowest)]
	hi, knownHi := tlsVersions[strings.ToLower(highest)]
	if lowest != "" && !knownLo || highest != "" && !knownHi {
		return errors.New("ssl_min_protocol_version or ssl_max_protocol_version is not a version such as TLSv1.2")
	}
	configs := []*tls.Config{config.TLSConfig}
	for _, f := range config.Fallbacks {
		configs = append(configs, f.TLSConfig)
	}
	for _, c := range configs {
		if c != nil {
			c.MinVersion, c.MaxVersion = lo, hi
		}
	}
	return nil
}

// clone returns a configuration that the caller may change.
func (i *Info) clone() *pgx.ConnConfig {
	c := i.config.Copy()
	c.RuntimeParams = maps.Clone(c.RuntimeParams)
	return c
}
