package pgbin

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/cockroachdb/errors"
)

// installPlaces are the patterns of directories that distributions install to.
var installPlaces = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// candidates lists the directories to search, best first. The environment's
// own entries for one major come before all others.
func candidates(major int) []string {
	dirs := []string{os.Getenv("WALFERRY_PG_BIN_" + strconv.Itoa(major)), os.Getenv("WALFERRY_PG_BIN")}
	dirs = append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
	for _, pattern := range installPlaces {
		found, err := filepath.Glob(pattern)
		if err == nil {
			dirs = append(dirs, found...)
		}
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return dir == "" })
}

// debianWrapper chooses a version by the clusters that it finds, so its answer
// for one command says nothing about the next.
const debianWrapper = "pg_wrapper"

// complete reports whether dir holds all programs themselves.
func complete(dir string, programs []string) bool {
	for _, program := range programs {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, program))
		if err != nil || filepath.Base(path) == debianWrapper {
			return false
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// majorOf runs program --version and returns the major version that it tells.
func majorOf(ctx context.Context, program string) (int, error) {
	out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
	if err != nil {
		err = errors.Wrapf(err, "run %s --version", program)
		return 0, errors.WithDetailf(err, "%s", out)
	}
	found := versionText.FindSubmatch(out)
	if found == nil {
		return 0, errors.Newf("%s --version tells no version: %q", program, out)
	}
	return strconv.Atoi(string(found[1]))
}
