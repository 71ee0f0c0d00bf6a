package main

import (
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/spf13/cobra"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/internal/engine"
)

// copyFlags adds the flags that choose tables and say how they are copied.
func copyFlags(cmd *cobra.Command, o *engine.MigrateOptions) {
	f := cmd.Flags()
	f.StringArrayVar(&o.Databases, "database", nil, "move this database (repeatable; default: that of the connection strings)")
	f.StringArrayVar(&o.ExcludeDatabases, "exclude-database", nil, "move all databases but this one (repeatable)")
	f.BoolVar(&o.AllDatabases, "all-databases", false, "move all databases that are no templates")
	f.StringArrayVar(&o.Filter.Tables, "table", nil, "move only tables that match the psql pattern (repeatable)")
	f.StringArrayVar(&o.Filter.ExcludeTables, "exclude-table", nil, "leave out tables that match the pattern (repeatable)")
	f.StringArrayVar(&o.Filter.Schemas, "schema", nil, "move only tables of schemas that match the pattern (repeatable)")
	f.StringArrayVar(&o.Filter.ExcludeSchemas, "exclude-schema", nil, "leave out schemas that match the pattern (repeatable)")
	f.IntVarP(&o.Jobs, "jobs", "j", 0, "tables copied and indexes built at once (default: the number of CPUs, at most 8)")
	f.Int64Var(&o.ChunkBytes, "chunk-size", 0, "copy tables that take more bytes than this in chunks of about that size, several at once (default: 16 MiB to 1 GiB, from 64 MiB on)")
	f.Var(choice((*string)(&o.IfNotEmpty), "refuse", "append", "truncate"), "if-not-empty", "target tables that hold rows: refuse, append, truncate")
	f.Int64Var(&o.MaxTotalBytes, "max-total-size", 0, "block when the chosen tables take more bytes than this (default: no bound)")
	f.DurationVar(&o.RetryFor, "retry-for", 10*time.Minute, "how long a lost connection is retried")
}

// schemaFlags adds the flags that say how the schema is moved.
func schemaFlags(cmd *cobra.Command, o *engine.MigrateOptions) {
	f := cmd.Flags()
	f.Var(choice((*string)(&o.Method), "auto", "replication", "dump"), "method", "auto, replication, or dump: one consistent copy without a slot")
	f.BoolVar(&o.NoCreateDatabase, "no-createdb", false, "do not create databases on the target")
	f.BoolVar(&o.NoSchema, "no-schema", false, "the target has the schema already")
	f.BoolVar(&o.NoOwner, "no-owner", false, "objects belong to the role that connects to the target")
	f.BoolVar(&o.NoExtensions, "no-extensions", false, "leave extensions out: the target has them already")
	f.StringArrayVar(&o.ExcludeExtensions, "exclude-extension", nil, "leave out this extension (repeatable)")
	f.BoolVar(&o.NoRoles, "no-roles", false, "leave the cluster's roles out")
	f.StringArrayVar(&o.ExcludeRoles, "exclude-role", nil, "leave out this role (repeatable)")
	f.BoolVar(&o.NoLargeObjects, "no-large-objects", false, "leave large objects out; they are also left out when only some tables are chosen")
	f.StringVar(&o.PGBin, "pgbin", "", "where pg_dump and pg_restore are (default: PATH, then the usual places)")
}

// streamFlags adds the flags that say how changes are received and applied, but
// for --retry-for.
func streamFlags(cmd *cobra.Command, o *engine.StreamOptions) {
	f := cmd.Flags()
	f.StringVar(&o.Slot, "slot", "", "name of the replication slot (default: walferry_NAME_DATABASE)")
	f.StringArrayVar(&o.Publications, "publication", nil, "use this existing publication (repeatable)")
	f.Var(choice((*string)(&o.Binary), "auto", "on", "off"), "binary", "values on the wire in binary: auto, on, off")
	f.Var(choice((*string)(&o.Streaming), "auto", "on", "off"), "streaming", "receive large transactions while they run: auto, on, off")
	f.IntVar(&o.ApplyJobs, "apply-jobs", 1, "connections that apply changes at once, each some of the tables; with one, readers of the target see whole transactions")
	f.StringVar(&o.SpillDir, "spill-dir", "", "where transactions wait that are received while they run and do not fit into memory (default: the system's temporary directory)")
	f.Var((*missingRow)(&o.OnMissingRow), "on-missing-row", "an UPDATE or DELETE that finds no row: count, stop")
}

// choiceValue is a flag with a few words to choose from, the first its default.
type choiceValue struct {
	value *string
	words []string
}

func choice(value *string, words ...string) *choiceValue {
	*value = words[0]
	return &choiceValue{value: value, words: words}
}

func (c *choiceValue) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

func (c *choiceValue) Type() string { return "string" }

func (c *choiceValue) Set(text string) error {
	if !slices.Contains(c.words, text) {
		return errors.Newf("it is none of %s", strings.Join(c.words, ", "))
	}
	*c.value = text
	return nil
}

// missingRow is the flag of [applier.MissingRowPolicy].
type missingRow applier.MissingRowPolicy

func (m *missingRow) String() string {
	if *m == missingRow(applier.MissingRowStop) {
		return "stop"
	}
	return "count"
}

func (m *missingRow) Type() string { return "string" }

func (m *missingRow) Set(text string) error {
	switch text {
	case "count":
		*m = missingRow(applier.MissingRowCount)
	case "stop":
		*m = missingRow(applier.MissingRowStop)
	default:
		return errors.New("it is none of count, stop")
	}
	return nil
}

// lsnValue is a flag that holds an LSN.
type lsnValue pglogrepl.LSN

func (l *lsnValue) String() string {
	if *l == 0 {
		return ""
	}
	return pglogrepl.LSN(*l).String()
}

func (l *lsnValue) Type() string { return "lsn" }

func (l *lsnValue) Set(text string) error {
	lsn, err := pglogrepl.ParseLSN(text)
	if err != nil {
		return errors.New("it is not an LSN such as 16/B374D848")
	}
	*l = lsnValue(lsn)
	return nil
}
