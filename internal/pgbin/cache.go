package pgbin

import (
	"os"
	"path/filepath"
	"strings"
)

// modulePath marks the root of walferry's own repository.
const modulePath = "module github.com/walferry/walferry\n"

// systemCache is root's cache when the usual one lies where other users may
// not enter: servers never run as root and must be able to read their programs.
const systemCache = "/var/cache/walferry"

// CacheDir returns the directory that fetched programs are kept in: what
// WALFERRY_CACHE says, else .cache of walferry's repository when the working
// directory is inside of it, else the user's cache directory. It need not exist.
func CacheDir() string {
	if dir := os.Getenv("WALFERRY_CACHE"); dir != "" {
		return dir
	}
	dir := defaultCache()
	if os.Geteuid() == 0 && !reachable(dir) {
		return systemCache
	}
	return dir
}

func defaultCache() string {
	if root, ok := repository(); ok {
		return filepath.Join(root, ".cache")
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "walferry")
	}
	return filepath.Join(os.TempDir(), "walferry-cache")
}

// repository finds the root of walferry's repository above the working directory.
func repository() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.Contains(string(text), modulePath) {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// reachable reports whether every user may enter dir, as far as it exists.
func reachable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
