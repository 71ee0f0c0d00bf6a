package schema

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
)

// PGBin is an installation of PostgreSQL's client programs.
type PGBin struct {
	// Dump and Restore are the paths of pg_dump and pg_restore.
	Dump, Restore string
	// Major is the major version of Dump.
	Major int
}

// usualDirs are where packages install client programs, newest file systems'
// layouts included.
var usualDirs = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/lib/postgresql*/bin",
	"/usr/libexec/postgresql*",
	"/usr/pgsql-*/bin",
	"/usr/local/pgsql/bin",
	"/usr/local/pgsql-*/bin",
	"/usr/local/opt/libpq/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/opt/homebrew/opt/libpq/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/opt/local/lib/postgresql*/bin",
	"/Library/PostgreSQL/*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/opt/postgresql/*/bin",
	"/snap/bin",
}

// FindPGBin returns the client programs of the smallest major version that can
// dump a source of sourceMajor: the same or a newer one. It looks into dir alone
// when that is given, else into PATH and the usual places; of the same version
// the first found is taken.
func FindPGBin(ctx context.Context, dir string, sourceMajor int) (PGBin, error) {
	dirs := []string{dir}
	if dir == "" {
		dirs = filepath.SplitList(os.Getenv("PATH"))
		for _, pattern := range usualDirs {
			if matches, err := filepath.Glob(pattern); err == nil {
				dirs = append(dirs, matches...)
			}
		}
	}
	return choosePGBin(ctx, dirs, dir != "", sourceMajor)
}

func choosePGBin(ctx context.Context, dirs []string, named bool, sourceMajor int) (PGBin, error) {
	var best PGBin
	var seen []string
	for _, dir := range dirs {
		b := PGBin{Dump: filepath.Join(dir, "pg_dump"), Restore: filepath.Join(dir, "pg_restore")}
		if dir == "" || !isProgram(b.Dump) || !isProgram(b.Restore) || !named && isWrapper(b.Dump) {
			continue
		}
		major, err := dumpMajor(ctx, b.Dump)
		if ctx.Err() != nil {
			return PGBin{}, context.Cause(ctx)
		}
		if err != nil {
			seen = append(seen, b.Dump+": "+err.Error())
			continue
		}
		if note := b.Dump + " is version " + strconv.Itoa(major); !slices.Contains(seen, note) {
			seen = append(seen, note)
		}
		if b.Major = major; major >= sourceMajor && (best.Major == 0 || major < best.Major) {
			best = b
		}
	}
	if best.Major != 0 {
		return best, nil
	}
	err := errors.Newf("find pg_dump and pg_restore of PostgreSQL %d or newer", sourceMajor)
	switch {
	case len(seen) > 0:
		err = errors.WithDetail(err, strings.Join(seen, "; "))
	case named:
		err = errors.WithDetail(err, "the named directory holds no pg_dump and pg_restore: "+dirs[0])
	default:
		err = errors.WithDetail(err, "none was found on PATH or in the usual places")
	}
	return PGBin{}, errors.WithHintf(err,
		"install PostgreSQL's client programs of version %d or newer (postgresql-client-%d on Debian), or name their directory with --pgbin",
		sourceMajor, sourceMajor)
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// isWrapper recognizes Debian's pg_wrapper, which chooses a version by the local
// clusters. What it would run is in the usual places by itself.
func isWrapper(path string) bool {
	target, err := filepath.EvalSymlinks(path)
	return err == nil && filepath.Base(target) == "pg_wrapper"
}

// Debian's wrapper says "pg_dump (PostgreSQL) 15.18 (Debian …)", beta versions
// "pg_dump (PostgreSQL) 18beta1".
var versionText = regexp.MustCompile(`^pg_dump \(PostgreSQL\) (\d+)`)

func dumpMajor(ctx context.Context, path string) (int, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return 0, errors.Wrap(err, "ask for its version")
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return 0, errors.Newf("its version is not clear: %.100q", out)
	}
	return strconv.Atoi(string(m[1]))
}
