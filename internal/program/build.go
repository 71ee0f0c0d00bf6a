package program

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/errors"
)

// Build says how to build the program.
type Build struct {
	// Tags are build tags.
	Tags []string
	// Race builds with the race detector.
	Race bool
	// Replace are texts of the program's source to replace before it is built, each
	// of which must stand in its file exactly once.
	Replace []Replacement
}

// Replacement is a text of a source file and what stands in its place.
type Replacement struct {
	// File is relative to the repository.
	File, Old, New string
}

// In builds the program in dir and returns its path.
func (b Build) In(dir string) (string, error) {
	path := filepath.Join(dir, "walferry")
	args := []string{"build", "-o", path}
	if len(b.Tags) > 0 {
		args = append(args, "-tags", strings.Join(b.Tags, ","))
	}
	if b.Race {
		args = append(args, "-race")
	}
	if len(b.Replace) > 0 {
		overlay, err := b.overlay(dir)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.Command("go", append(args, "github.com/walferry/walferry/cmd/walferry")...).CombinedOutput()
	return path, errors.WithDetail(errors.Wrap(err, "build walferry"), string(out))
}

// overlay writes the changed files and the list by which the go command finds them.
func (b Build) overlay(dir string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", errors.Wrap(err, "find the repository")
	}
	root := strings.TrimSpace(string(out))
	texts := map[string]string{}
	for _, r := range b.Replace {
		path := filepath.Join(root, filepath.FromSlash(r.File))
		text, read := texts[path]
		if !read {
			content, err := os.ReadFile(path)
			if err != nil {
				return "", errors.Wrap(err, "read the file to change")
			}
			text = string(content)
		}
		if n := strings.Count(text, r.Old); n != 1 {
			return "", errors.Newf("%s holds the text to replace %d times, want once:\n%s", r.File, n, r.Old)
		}
		texts[path] = strings.Replace(text, r.Old, r.New, 1)
	}
	replace := map[string]string{}
	for path, text := range texts {
		changed := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(path, root), string(filepath.Separator), "_"))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return "", errors.Wrap(err, "write the changed file")
		}
		replace[path] = changed
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", errors.Wrap(err, "list the changed files")
	}
	path := filepath.Join(dir, "overlay.json")
	return path, errors.Wrap(os.WriteFile(path, list, 0o600), "list the changed files")
}
