package main

import (
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/internal/target"
)

func newSnapshot(a *app) *cobra.Command {
	var o engine.MigrateOptions
	cmd := &cobra.Command{
		Use:   "snapshot -s SOURCE -t TARGET",
		Short: "Copy the rows of tables once, from one consistent snapshot, into existing tables",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.runMigrate(cmd, o, ofDatabases(target.Snapshot)) },
	}
	a.connectFlags(cmd)
	a.progressFlag(cmd)
	copyFlags(cmd, &o)
	return cmd
}
