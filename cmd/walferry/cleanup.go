package main

import (
	"bufio"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/walferry/walferry/internal/engine"
)

func newCleanup(a *app) *cobra.Command {
	var o engine.CleanupOptions
	var yes bool
	cmd := &cobra.Command{
		Use:   "cleanup -s SOURCE [-t TARGET]",
		Short: "Drop what a migration made on both sides and forget it",
		Long: `Drops the slot and the publications that the migration made on the source, and its
state in the schema walferry on the target. It names them and asks first. The
migrated tables stay, and so does everything that the migration did not make. Where a
cutover has closed the source and not decided, the source is opened.

When the target is gone, --source alone is enough: the slot and the publications are
found by the migration's name and the database's.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			connection, display, err := a.connectionOf()
			if err != nil {
				return err
			}
			o.Connection = connection
			if !yes {
				o.Confirm = func(objects []string) (bool, error) { return a.confirm(cmd.InOrStdin(), objects) }
			}
			ctx, end := a.untilStopped(cmd.Context())
			defer end()
			dropped, err := engine.Cleanup(ctx, o)
			if err := errors.CombineErrors(err, display.Close()); err != nil {
				return err
			}
			if a.json {
				return printJSON(a.stdout, map[string]any{"schema_version": 1, "dropped": append([]string{}, dropped...)})
			}
			p := &printer{w: a.stdout}
			p.list("dropped ", dropped)
			return p.err
		},
	}
	a.connectFlags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	f.BoolVar(&o.Restore, "restore", false, "first restore what was held back or taken down on the target")
	return cmd
}

// confirm names what will be dropped and asks.
func (a *app) confirm(in io.Reader, objects []string) (bool, error) {
	p := &printer{w: a.stderr}
	p.list("will drop ", objects)
	file, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		err := errors.New("there is no terminal to ask")
		return false, errors.WithHint(err, "add --yes to drop these objects")
	}
	p.printf("Drop them? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err := errors.CombineErrors(p.err, err); err != nil {
		return false, errors.Wrap(err, "read the answer")
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}
