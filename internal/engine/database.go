package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/validate"
)

const noSuchDatabase = "3D000"

// maintenanceDatabases are looked at while the target's own does not exist: a new
// database is like template1, and some services let nobody into that.
var maintenanceDatabases = []string{"template1", "postgres", "defaultdb"}

// openTarget connects to the target. A database that does not exist yet is made
// later, unless that is not allowed; until then another one is looked at.
func (e *engine) openTarget(ctx context.Context) (err error) {
	e.absent = false
	e.dst, err = e.o.Target.Connect(ctx, conninfo.WithPurpose("control"))
	var pgErr *pgconn.PgError
	if err == nil || !errors.As(err, &pgErr) || pgErr.Code != noSuchDatabase || e.command != target.Migrate {
		return err
	}
	if e.o.NoCreateDatabase {
		return errors.WithHint(err, "create it, or leave out --no-createdb")
	}
	for _, name := range maintenanceDatabases {
		var other error
		if e.dst, other = e.o.Target.WithDatabase(name).Connect(ctx, conninfo.WithPurpose("control")); other == nil {
			e.absent = true
			return nil
		}
	}
	return err
}

// createDatabase makes the target's database like the source's, and connects to it.
func (e *engine) createDatabase(ctx context.Context) error {
	name := e.o.Target.Database()
	d, err := e.sourceDatabase(ctx)
	if err != nil {
		return err
	}
	// A database cannot be made from one that somebody is in.
	major := conninfo.Major(e.dst.PgConn())
	_, err = e.dst.Exec(ctx, schema.CreateDatabaseSQL(d, name, major, false))
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && slices.Contains([]string{"42809", "22023", "42704", "0A000"}, pgErr.Code) {
		// The target knows no such locale, or no such provider.
		reason := pgErr.Message
		if _, err = e.dst.Exec(ctx, schema.CreateDatabaseSQL(d, name, major, true)); err == nil {
			e.warn("database " + name + " has another locale than on the source (" + d.Collate + "): " + reason + "; text sorts differently")
		}
	}
	if err != nil {
		err = errors.Wrapf(err, "create database %q on the target", name)
		return errors.WithHint(err, "give the target's role CREATEDB, or create the database and run the same command again")
	}
	e.o.Logger.InfoContext(ctx, "database created on the target", "encoding", d.Encoding)
	closeConn(ctx, e.dst)
	e.made = true
	return e.openTarget(ctx)
}

// sourceDatabase describes the database that is moved.
func (e *engine) sourceDatabase(ctx context.Context) (*catalog.Database, error) {
	all, err := catalog.Databases(ctx, e.src)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == e.system.Database {
			return &all[i], nil
		}
	}
	return nil, errors.Newf("database %q of the source is a template and cannot be moved", e.system.Database)
}

// databaseEntries are the definitions that belong to the database itself.
func (e *engine) databaseEntries(ctx context.Context) ([]schema.Entry, []schema.LeftOut, error) {
	d, err := e.sourceDatabase(ctx)
	if err != nil {
		return nil, nil, err
	}
	settings, err := catalog.RoleSettings(ctx, e.src)
	if err != nil {
		return nil, nil, err
	}
	var name string
	if err := e.dst.QueryRow(ctx, `SELECT pg_catalog.current_database()::text`).Scan(&name); err != nil {
		return nil, nil, errors.Wrap(err, "ask for the target's database")
	}
	entries, leftOut := schema.DatabaseEntries(d, settings, name, e.m.MadeDatabase, e.o.NoOwner)
	return entries, leftOut, nil
}

// validateDatabases runs the preflight of every chosen database.
func validateDatabases(ctx context.Context, o MigrateOptions) (validate.Report, error) {
	o.setDefaults()
	list, runs, err := databaseRuns(ctx, o)
	if err != nil {
		return validate.Report{}, err
	}
	var all validate.Report
	for i, d := range list {
		if d.skip != "" {
			all.Findings = append(all.Findings, validate.SkippedDatabase(d.name, d.skip))
			continue
		}
		one := runs[i]
		one.Databases, one.ExcludeDatabases, one.AllDatabases = nil, nil, false
		report, err := Validate(ctx, one)
		if err != nil {
			return all, errors.Wrapf(err, "database %q", d.name)
		}
		if all.Method == "" || report.Method == validate.Dump {
			all.Method = report.Method
		}
		if report.Reason != "" {
			all.Reason = d.name + ": " + report.Reason
		}
		for _, t := range report.Tables {
			t.Table = d.name + ": " + t.Table
			all.Tables = append(all.Tables, t)
		}
		for _, f := range report.Findings {
			f.Object = strings.TrimSuffix(d.name+": "+f.Object, ": ")
			all.Findings = append(all.Findings, f)
		}
	}
	return all, nil
}
