package pgbin

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/errors"
)

// clientSuites says which Debian suite has which client, oldest client first.
var clientSuites = []struct {
	major int
	suite string
}{
	{15, "bookworm"},
	{17, "trixie"},
	{18, "sid"},
}

const (
	debianMirror  = "http://deb.debian.org/debian"
	debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// fetchClient unpacks Debian's client package, and all libraries that it needs
// down to libc, into the cache. Nothing is installed.
func fetchClient(ctx context.Context, minMajor int) (string, error) {
	for _, c := range clientSuites {
		if c.major < minMajor {
			continue
		}
		dir, err := cached(ctx, fmt.Sprintf("postgresql-client-%d", c.major), func(ctx context.Context, dir string) error {
			if err := unpackDebian(ctx, c.suite, fmt.Sprintf("postgresql-client-%d", c.major), dir); err != nil {
				return withClientHint(err, c.major)
			}
			if err := wrap(dir, fmt.Sprintf("usr/lib/postgresql/%d/bin", c.major), clientPrograms...); err != nil {
				return err
			}
			for _, program := range clientPrograms {
				if _, err := majorOf(ctx, filepath.Join(dir, "bin", program)); err != nil {
					return errors.Wrap(err, "try the unpacked programs")
				}
			}
			return nil
		})
		return filepath.Join(dir, "bin"), err
	}
	return "", withClientHint(errors.New("no such version can be fetched"), minMajor)
}

func withClientHint(err error, major int) error {
	return errors.WithHintf(err,
		"install pg_dump, pg_restore and psql of PostgreSQL %d, and set WALFERRY_PG_BIN to their directory", major)
}

// unpackDebian unpacks a package of a Debian suite with all libraries that it needs
// down to libc. It runs apt with a configuration and state of its own, so that it
// neither reads nor changes what the machine has installed.
func unpackDebian(ctx context.Context, suite, name, dir string) error {
	for _, program := range []string{"apt-get", "apt-config", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return errors.Wrap(err, "fetch Debian's packages")
		}
	}
	if !exists(debianKeyring) {
		return errors.Newf("fetch Debian's packages: there is no %s", debianKeyring)
	}
	a := apt{root: filepath.Join(dir, "apt")}
	if err := a.configure(ctx, suite); err != nil {
		return err
	}
	if err := a.run(ctx, "update"); err != nil {
		return err
	}
	if err := a.run(ctx, "install", "--yes", "--download-only", name); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(a.archives(), "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range packages {
		// Only Debian's own wrapper scripts are written in Perl.
		if name := filepath.Base(file); strings.HasPrefix(name, "perl") || strings.HasPrefix(name, "libperl") {
			continue
		}
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", file, dir).CombinedOutput(); err != nil {
			err = errors.Wrapf(err, "unpack %s", filepath.Base(file))
			return errors.WithDetail(err, strings.TrimSpace(string(out)))
		}
	}
	return errors.Wrap(os.RemoveAll(a.root), "remove the fetched packages")
}
