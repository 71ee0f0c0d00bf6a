package main

import (
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/term"
)

// app is what all commands share.
type app struct {
	stop           <-chan struct{}
	stdout, stderr io.Writer

	source, target string
	name           string
	json           bool
	quiet          bool
	logLevel       string
	logFormat      string
	progress       string
	listen         string
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "walferry",
		Short: "Move a live PostgreSQL database to another server",
		Long: `walferry moves a live PostgreSQL database to another PostgreSQL server, without
a subscription on the target: it copies a consistent snapshot, applies the changes
made since, and keeps both sides equal until you switch.

Exit status: 0 done, 1 error, 2 the answer is no (preflight blocked, rows differ),
3 stopped by a signal with the progress saved: run the same command again.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd.Flags()) },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return errors.WithHintf(err, "try: %s --help", cmd.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&a.logLevel, "log-level", "info", "least severe messages to show: debug, info, warn, error")
	f.StringVar(&a.logFormat, "log-format", "text", "form of messages on stderr: text, json")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "show warnings and errors only, and no progress")
	root.AddCommand(
		newMigrate(a), newStream(a), newSnapshot(a), newValidate(a), newVerify(a),
		newCutover(a), newStatus(a), newCleanup(a), newDemo(a), newVersion(a),
	)
	return root
}

// fromEnvironment gives every flag that is not on the command line the value of
// its variable WALFERRY_<FLAG>.
func fromEnvironment(flags *pflag.FlagSet) error {
	var problems []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		names := []string{"WALFERRY_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))}
		switch f.Name {
		case "source":
			names = append(names, "SOURCE_SERVICE_URI")
		case "target":
			names = append(names, "TARGET_SERVICE_URI")
		}
		for _, name := range names {
			value, set := os.LookupEnv(name)
			if !set {
				continue
			}
			if err := flags.Set(f.Name, value); err != nil {
				problems = append(problems, errors.Newf("environment variable %s: %q is not a value of --%s", name, value, f.Name))
			}
			return
		}
	})
	return errors.Join(problems...)
}

// connectFlags adds the flags of every command that connects.
func (a *app) connectFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&a.source, "source", "s", "", "the source: a libpq URI or key=value string (WALFERRY_SOURCE, SOURCE_SERVICE_URI)")
	f.StringVarP(&a.target, "target", "t", "", "the target, likewise (WALFERRY_TARGET, TARGET_SERVICE_URI)")
	f.StringVar(&a.name, "name", "default", "the migration's name")
	f.BoolVar(&a.json, "json", false, "print one JSON object on stdout")
}

func (a *app) progressFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.progress, "progress", "auto", "how to show progress on stderr: auto, bar, plain, json, none")
}

// connection opens what the flags say, but for the connections themselves. Close
// the display when the command has ended.
func (a *app) connection() (engine.Connection, *term.Display, error) {
	if a.target == "" && a.source != "" {
		_, err := parseConninfo("target", "-t", a.target)
		return engine.Connection{}, nil, err
	}
	return a.connectionOf()
}

// connectionOf is connection for a command that may do without the target.
func (a *app) connectionOf() (engine.Connection, *term.Display, error) {
	c := engine.Connection{Name: a.name, Stop: a.stop}
	var err error
	if c.Source, err = parseConninfo("source", "-s", a.source); err != nil {
		return c, nil, err
	}
	sides := []*conninfo.Info{c.Source}
	if a.target != "" {
		if c.Target, err = parseConninfo("target", "-t", a.target); err != nil {
			return c, nil, err
		}
		sides = append(sides, c.Target)
	}
	display, err := term.New(a.stderr, a.progressMode())
	if err != nil {
		return c, nil, err
	}
	if c.Logger, err = a.logger(display); err != nil {
		return c, nil, errors.CombineErrors(err, display.Close())
	}
	for _, info := range sides {
		for _, key := range info.Ignored() {
			c.Logger.Warn("a parameter of the connection string has no effect", "side", info.Side(), "parameter", key)
		}
	}
	c.Progress = func(p status.Progress) { display.Show(p) }
	return c, display, nil
}

func (a *app) progressMode() term.Mode {
	if a.quiet || a.progress == "" {
		return term.None
	}
	return term.Mode(a.progress)
}

func parseConninfo(side, flag, text string) (*conninfo.Info, error) {
	if text == "" {
		err := errors.Newf("the %s is not given", side)
		return nil, errors.WithHintf(err, "give %s with a connection string, or set WALFERRY_%s", flag, strings.ToUpper(side))
	}
	return conninfo.Parse(side, text)
}

// withoutStack lets an error be logged as its message: slog's text has its stack, too.
func withoutStack(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		return slog.String(a.Key, err.Error())
	}
	return a
}

// logger writes messages above the progress display.
func (a *app) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return nil, errors.Newf("--log-level %q is none of debug, info, warn, error", a.logLevel)
	}
	if a.quiet {
		level = max(level, slog.LevelWarn)
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: withoutStack}
	switch a.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, errors.Newf("--log-format %q is none of text, json", a.logFormat)
}
