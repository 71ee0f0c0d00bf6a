package main

import (
	"runtime"
	"runtime/debug"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"
)

// version is set by the release build; a build from source takes the module's.
var version = ""

func newVersion(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v, revision := buildVersion()
			if a.json {
				return printJSON(a.stdout, map[string]any{
					"schema_version": 1, "version": v, "revision": revision, "go": runtime.Version(),
				})
			}
			p := &printer{w: a.stdout}
			p.printf("walferry %s %s %s/%s\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return errors.Wrap(p.err, "write the version")
		},
	}
	cmd.Flags().BoolVar(&a.json, "json", false, "print one JSON object on stdout")
	return cmd
}

func buildVersion() (v, revision string) {
	v = version
	info, ok := debug.ReadBuildInfo()
	if ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if v == "" || v == "(devel)" {
		v = "devel"
	}
	return v, revision
}
