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

// apt runs apt-get with everything that it reads and writes below root.
type apt struct{ root string }

func (a apt) conf() string { return filepath.Join(a.root, "apt.conf") }

func (a apt) archives() string { return filepath.Join(a.root, "cache", "archives") }

// configure writes the private configuration: one suite of Debian's mirror, no
// package installed, and of the machine's settings only how to reach
// the network and how old a mirror may be.
func (a apt) configure(ctx context.Context, suite string) error {
	for _, dir := range []string{"parts", "state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.root, dir), 0o755); err != nil {
			return errors.Wrap(err, "make apt's directories")
		}
	}
	var network strings.Builder
	dump, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return errors.Wrap(err, "run apt-config dump")
	}
	for line := range strings.Lines(string(dump)) {
		if strings.HasPrefix(line, "Acquire::http") || strings.HasPrefix(line, "Acquire::Check-") {
			network.WriteString(line)
		}
	}
	files := map[string]string{
		"state/status": "",
		"sources.list": fmt.Sprintf("deb [signed-by=%s] %s %s main\n", debianKeyring, debianMirror, suite),
		"apt.conf": network.String() + fmt.Sprintf(`Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "%[1]s/parts";
Dir::Etc::preferences "%[1]s/preferences";
Dir::Etc::preferencesparts "%[1]s/parts";
Dir::Etc::main "%[1]s/main";
Dir::Etc::parts "%[1]s/parts";
Dir::State "%[1]s/state";
Dir::State::status "%[1]s/state/status";
Dir::Cache "%[1]s/cache";
Dir::Log "%[1]s/state";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
`, a.root),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(a.root, name), []byte(text), 0o644); err != nil {
			return errors.Wrap(err, "write apt's configuration")
		}
	}
	return nil
}

func (a apt) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-qq"}, args...)...)
	cmd.Env = append(os.Environ(), "APT_CONFIG="+a.conf(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = errors.Wrapf(err, "run apt-get %s", args[0])
		return errors.WithDetail(err, strings.TrimSpace(string(out)))
	}
	return nil
}
