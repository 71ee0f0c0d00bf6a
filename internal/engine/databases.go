package engine

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// chosen is a database of the source with why it is skipped, empty when it is not.
type chosen struct {
	name, skip string
}

// Databases runs a command for the databases that the options choose: migrate or
// snapshot. Without a choice that is one run for the database of the connection
// strings. Else each database has a run of its own, from and to the database of that
// name; one that fails does not end the others, and is an error in the end, with a
// summary of all. Databases that refuse connections are skipped.
func Databases(ctx context.Context, o MigrateOptions, command target.Command) (*status.Summary, error) {
	run := Migrate
	if command == target.Snapshot {
		run = Snapshot
	}
	if !o.severalDatabases() {
		return run(ctx, o)
	}
	o.setDefaults()
	list, runs, err := databaseRuns(ctx, o)
	if err != nil {
		return nil, err
	}
	if command == target.Migrate {
		// All are checked before anything is changed for one of them.
		if err := checkAll(ctx, o, list, runs); err != nil {
			return nil, err
		}
	}
	if o.DryRun {
		run = func(_ context.Context, o MigrateOptions) (*status.Summary, error) { return o.checked(), nil }
	}
	return runAll(ctx, o, list, runs, run)
}

// databaseRuns chooses the databases and makes the options for each one's run.
func databaseRuns(ctx context.Context, o MigrateOptions) ([]chosen, []MigrateOptions, error) {
	list, err := chooseDatabases(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, d := range list {
		if d.skip == "" {
			names = append(names, d.name)
		}
	}
	if len(names) == 0 {
		err := errors.New("no database is left to move")
		return nil, nil, errors.WithHint(err, "every database that was chosen is excluded or refuses connections")
	}
	several := len(names) > 1
	if several {
		o.group = newGroup(names)
		o.Jobs = max(1, o.Jobs/groupCopies)
	}
	runs := make([]MigrateOptions, len(list))
	merged := newMergedProgress(o.Progress)
	for i, d := range list {
		runs[i] = o
		runs[i].Source, runs[i].Target = o.Source.WithDatabase(d.name), o.Target.WithDatabase(d.name)
		if several {
			runs[i].Logger = o.Logger.With("database", d.name)
			runs[i].Progress = merged.of(d.name)
		}
	}
	return list, runs, nil
}

// checkAll runs the preflight of every database, and decides how each one moves.
func checkAll(ctx context.Context, o MigrateOptions, list []chosen, runs []MigrateOptions) error {
	slots := []string{}
	for i, d := range list {
		if d.skip != "" {
			continue
		}
		dry := runs[i]
		dry.DryRun, dry.Logger = true, slog.New(slog.DiscardHandler) // the run itself tells
		dry.RetryFor = -1                                            // nobody would see what is waited for
		checked, err := Migrate(ctx, dry)
		if err != nil {
			return errors.Wrapf(err, "database %q", d.name)
		}
		runs[i].Method = Method(checked.Method)
		if runs[i].Method != MethodDump {
			slots = append(slots, sqltext.ObjectName("walferry", o.Name, d.name))
		}
	}
	if o.Slot != "" && len(slots) > 1 {
		return errors.WithHint(errors.Newf("%d databases cannot share replication slot %q", len(slots), o.Slot), "leave out --slot")
	}
	src, err := o.Source.Connect(ctx, conninfo.WithPurpose("control"))
	if err != nil {
		return err
	}
	defer closeConn(ctx, src)
	var free, needed int
	err = src.QueryRow(ctx, `
		SELECT pg_catalog.current_setting('max_replication_slots')::integer - pg_catalog.count(*),
		       pg_catalog.cardinality($1::text[]) - pg_catalog.count(*) FILTER (WHERE slot_name = ANY ($1))
		FROM pg_catalog.pg_replication_slots`, slots).Scan(&free, &needed)
	if err != nil || needed <= free {
		return errors.Wrap(err, "count the source's replication slots")
	}
	err = errors.Newf("the databases need %d replication slots, and the source has %d left", needed, free)
	err = errors.WithHint(err, "raise max_replication_slots on the source, or migrate fewer databases at once")
	return errors.Mark(err, ErrBlocked)
}

// runAll runs the command for each database and gathers what became of them.
func runAll(ctx context.Context, o MigrateOptions, list []chosen, runs []MigrateOptions,
	run func(context.Context, MigrateOptions) (*status.Summary, error),
) (*status.Summary, error) {
	results := make([]status.DatabaseResult, len(list))
	failures := make([]error, len(list))
	var wg sync.WaitGroup
	for i, d := range list {
		results[i] = status.DatabaseResult{Database: d.name, Status: "skipped", Message: d.skip}
		if d.skip != "" {
			o.Logger.WarnContext(ctx, "database skipped", "database", d.name, "reason", d.skip)
			continue
		}
		wg.Go(func() {
			summary, err := run(ctx, runs[i])
			failures[i] = err
			switch {
			case err == nil:
				results[i] = status.DatabaseResult{Database: d.name, Method: summary.Method, Status: summary.Status, Summary: summary}
			case errors.Is(err, ErrStopped):
				results[i].Status, results[i].Message = "stopped", ""
			default:
				results[i].Status, results[i].Message = "failed", err.Error()
				o.Logger.ErrorContext(ctx, "database failed", "database", d.name, "reason", err)
			}
		})
	}
	wg.Wait()
	return gather(o, results, failures)
}

// gather makes one summary of several. With an error there is one as well, for
// what became of the other databases.
func gather(o MigrateOptions, results []status.DatabaseResult, failures []error) (*status.Summary, error) {
	s := &status.Summary{
		SchemaVersion: status.SchemaVersion, Name: o.Name, Status: "done", Method: string(o.Method), Databases: results,
		Tables: []status.Table{}, Roles: []status.Role{}, Skipped: []string{}, Warnings: []string{},
	}
	var failed []error
	stopped := false
	for i, r := range results {
		switch err := failures[i]; {
		case errors.Is(err, ErrStopped):
			stopped = true
		case err != nil:
			failed = append(failed, errors.Wrapf(err, "database %q", r.Database))
		case r.Summary != nil:
			s.Roles = mergeRoles(s.Roles, r.Summary.Roles)
			if s.Status == "done" {
				s.Status = r.Summary.Status
			}
		}
	}
	switch {
	case len(failed) > 0:
		s.Status = "failed"
		return s, joined(failed)
	case stopped:
		s.Status = "stopped"
		return s, ErrStopped
	}
	return s, nil
}

// joined is the one error, which keeps its hints, or all of them.
func joined(failed []error) error {
	if len(failed) == 1 {
		return failed[0]
	}
	return errors.Join(failed...)
}

// mergeRoles adds what another database's run made of the cluster's roles: where
// one has made a role, the others have found it.
func mergeRoles(roles, more []status.Role) []status.Role {
	for _, r := range more {
		i := slices.IndexFunc(roles, func(o status.Role) bool { return o.Name == r.Name })
		switch {
		case i < 0:
			roles = append(roles, r)
		case r.Status == "created":
			roles[i] = r
		}
	}
	return roles
}

func (o *MigrateOptions) severalDatabases() bool {
	return o.AllDatabases || len(o.Databases)+len(o.ExcludeDatabases) > 0
}

// chooseDatabases lists the source's databases that the options name, and of all
// of them those that can be connected to. A name that does not exist is an error.
func chooseDatabases(ctx context.Context, o MigrateOptions) ([]chosen, error) {
	src, err := o.Source.Connect(ctx, conninfo.WithPurpose("control"))
	if err != nil {
		return nil, err
	}
	all, err := catalog.Databases(ctx, src)
	closeConn(ctx, src)
	if err != nil {
		return nil, err
	}
	exists := func(name string) bool {
		return slices.ContainsFunc(all, func(d catalog.Database) bool { return d.Name == name })
	}
	var unknown []string
	for _, name := range slices.Concat(o.Databases, o.ExcludeDatabases) {
		if !exists(name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		err := errors.Newf("the source has no database %s", strings.Join(unknown, ", "))
		return nil, errors.WithHint(err, "names of databases are taken as they are written, also their case; templates cannot be moved")
	}
	var list []chosen
	for _, d := range all {
		named := slices.Contains(o.Databases, d.Name)
		if slices.Contains(o.ExcludeDatabases, d.Name) || len(o.Databases) > 0 && !o.AllDatabases && !named {
			continue
		}
		c := chosen{name: d.Name}
		switch err := reachable(ctx, o.Source.WithDatabase(d.Name), d); {
		case err == nil:
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case named:
			return nil, err
		case retry.Retryable(err): // it may be one to move, which is found out another time
			return nil, errors.WithHint(err, "run the same command again, or leave the database out with --exclude-database")
		default:
			c.skip = "it refuses connections: " + err.Error()
		}
		list = append(list, c)
	}
	return list, nil
}

func reachable(ctx context.Context, source *conninfo.Info, d catalog.Database) error {
	if !d.AllowsConnections {
		return errors.New("it is set to allow none")
	}
	conn, err := source.Connect(ctx, conninfo.WithPurpose("control"))
	if err == nil {
		closeConn(ctx, conn)
	}
	return err
}
