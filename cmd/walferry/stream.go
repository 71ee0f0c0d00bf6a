package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
)

func newStream(a *app) *cobra.Command {
	var o engine.MigrateOptions
	cmd := &cobra.Command{
		Use:   "stream -s SOURCE -t TARGET --slot SLOT --publication PUBLICATION",
		Short: "Apply an existing slot and publication to an existing schema; copies nothing",
		Long: `Applies what a slot holds and will hold to tables that exist. Progress lives in the
target's checkpoint: the same command run again continues there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runMigrate(cmd, o, engine.Stream) },
	}
	a.connectFlags(cmd)
	a.progressFlag(cmd)
	a.listenFlag(cmd)
	streamFlags(cmd, &o.StreamOptions)
	f := cmd.Flags()
	f.DurationVar(&o.RetryFor, "retry-for", 10*time.Minute, "how long a lost connection is retried")
	f.Var((*lsnValue)(&o.StartLSN), "startpos", "where to begin when the target has no checkpoint (default: the slot's confirmed position)")
	f.Var((*lsnValue)(&o.EndLSN), "endpos", "exit once every transaction that commits at or before this LSN is durable on the target")
	f.BoolVar(&o.CreateSlot, "create-slot", false, "create the slot unless it exists")
	return cmd
}
