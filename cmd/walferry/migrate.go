package main

import (
	"os"

	"github.com/cockroachdb/errors"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/roles"
	"github.com/walferry/walferry/internal/target"
)

func newMigrate(a *app) *cobra.Command {
	var o engine.MigrateOptions
	var maxLag int64
	var passwordFile string
	var showPasswords bool
	cmd := &cobra.Command{
		Use:   "migrate -s SOURCE -t TARGET",
		Short: "Copy a database and keep the copy up to date; the same command resumes",
		Long: `Checks, moves the schema, copies all rows from one consistent snapshot, builds the
indexes, and applies what changes until it is stopped. Run again, it resumes.

Foreign keys, triggers and rules come last, with --stop-replication: until then
nothing on the target acts on what is applied.`,
		Example: `  walferry migrate -s postgresql://old/app -t postgresql://new/app
  walferry migrate -s … -t … --max-replication-lag 0 --stop-replication`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("max-replication-lag") {
				if maxLag < 0 {
					return errors.Newf("--max-replication-lag is %d, not a number of bytes", maxLag)
				}
				o.MaxReplicationLag = &maxLag
			}
			if o.StopReplication && o.MaxReplicationLag == nil {
				err := errors.New("--stop-replication needs --max-replication-lag")
				return errors.WithHint(err, "add --max-replication-lag 0 to stop once the target has caught up")
			}
			if err := a.rolePasswords(&o, passwordFile, showPasswords); err != nil {
				return err
			}
			return a.runMigrate(cmd, o, ofDatabases(target.Migrate))
		},
	}
	a.connectFlags(cmd)
	a.progressFlag(cmd)
	a.listenFlag(cmd)
	copyFlags(cmd, &o)
	schemaFlags(cmd, &o)
	streamFlags(cmd, &o.StreamOptions)
	f := cmd.Flags()
	f.Int64Var(&maxLag, "max-replication-lag", 0, "exit once all is copied and what is applied is within this many bytes of the source")
	f.BoolVar(&o.StopReplication, "stop-replication", false, "then drain, set sequences, restore keys and triggers, and drop the replication objects")
	f.StringVar(&passwordFile, "role-passwords", "", "file of name=password lines: passwords to give to roles")
	f.BoolVar(&showPasswords, "show-passwords", false, "print the random passwords of roles whose own could not be read")
	f.BoolVar(&o.DryRun, "dry-run", false, "check only; change nothing")
	return cmd
}

// rolePasswords reads the file of passwords, and lets random ones be seen.
func (a *app) rolePasswords(o *engine.MigrateOptions, file string, show bool) error {
	if show {
		o.ShowPassword = func(role, password string) {
			message(a.stderr, "role "+role, "password "+password)
		}
	}
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return errors.Wrap(err, "read --role-passwords")
	}
	o.RolePasswords, err = roles.ParsePasswords(string(text))
	return errors.WithHint(errors.Wrapf(err, "read --role-passwords %s", file), "each line is name=password; # begins a comment")
}
