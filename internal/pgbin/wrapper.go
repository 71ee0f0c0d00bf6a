package pgbin

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/errors"
)

// wrapperText starts a program by the C library that was unpacked beside it:
// the machine's own may be too old for it.
const wrapperText = `#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/..
exec "$root/%s" --library-path "$root/%s" "$root/%s/%s" "$@"
`

// wrap writes bin with one script per program of the directory where, below root.
func wrap(root, where string, programs ...string) error {
	loader, err := findOne(root, "usr/lib*/ld-linux-*.so.*", "lib*/ld-linux-*.so.*", "usr/lib/*-linux-gnu/ld-linux-*.so.*", "lib/*-linux-gnu/ld-linux-*.so.*")
	if err != nil {
		return err
	}
	libraries, err := findOne(root, "usr/lib/*-linux-gnu")
	if err != nil {
		return err
	}
	// Packages of before the merge of /lib into /usr/lib have both.
	libraries += `:$root/` + filepath.Join("lib", filepath.Base(libraries))
	bin := filepath.Join(root, "bin")
	if err := makeReadable(bin); err != nil {
		return err
	}
	for _, program := range programs {
		path := filepath.Join(bin, program)
		text := fmt.Sprintf(wrapperText, loader, libraries, where, program)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			return errors.Wrapf(err, "write the wrapper of %s", program)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			return errors.Wrapf(err, "make the wrapper of %s executable", program)
		}
	}
	return nil
}

// findOne returns the first match of the patterns, relative to root.
func findOne(root string, patterns ...string) (string, error) {
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return filepath.Rel(root, found[0])
		}
	}
	return "", errors.Newf("the packages hold no %s", patterns[0])
}
