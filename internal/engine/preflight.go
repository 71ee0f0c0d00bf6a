package engine

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/schema"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/validate"
)

// BlockedError is what preflight found against the migration.
type BlockedError struct {
	Report validate.Report
}

// Error names what blocks, in one line.
func (b *BlockedError) Error() string {
	var blocking []string
	for _, f := range b.Report.Findings {
		if f.Severity == validate.Error {
			blocking = append(blocking, f.ID)
		}
	}
	return "preflight found what blocks the migration: " + strings.Join(blocking, ", ")
}

// Validate runs the preflight of a migration and changes nothing on either side. A
// side that cannot be reached is a finding.
//
// Of several databases the findings come one after the other, with the database
// before the object.
func Validate(ctx context.Context, o MigrateOptions) (validate.Report, error) {
	if o.severalDatabases() {
		return validateDatabases(ctx, o)
	}
	o.setDefaults()
	e := &engine{o: o, command: target.Migrate}
	defer e.close(ctx)
	e.system.Database = o.Source.Database()
	sourceErr, targetErr := e.openSource(ctx), e.openTarget(ctx)
	if ctx.Err() != nil {
		return validate.Report{}, context.Cause(ctx)
	}
	if sourceErr != nil || targetErr != nil {
		question := e.question(nil)
		question.SourceError, question.TargetError = sourceErr, targetErr
		return validate.Preflight(ctx, question)
	}
	if err := e.checkChoices(ctx); err != nil {
		return validate.Report{}, err
	}
	m, err := e.recorded(ctx)
	if err != nil {
		return validate.Report{}, err
	}
	return validate.Preflight(ctx, e.question(m))
}

// check connects to both sides and, when the migration is new, runs the
// preflight, which decides how the data moves. It changes nothing.
func (e *engine) check(ctx context.Context) error {
	defer e.close(ctx)
	if err := e.openFirst(ctx); err != nil {
		return err
	}
	m, err := e.recorded(ctx)
	if err != nil || m != nil && m.Phase != target.Preparing {
		return err
	}
	if err := e.checkChoices(ctx); err != nil {
		return err
	}
	report, err := validate.Preflight(ctx, e.question(m))
	if err != nil {
		return err
	}
	if !report.OK() {
		return errors.Mark(&BlockedError{Report: report}, ErrBlocked)
	}
	e.o.Method = Method(report.Method)
	for _, f := range report.Findings {
		if f.Severity == validate.Warning {
			e.o.Logger.WarnContext(ctx, "preflight", "id", f.ID, "object", f.Object, "reason", f.Message, "hint", f.Hint)
		}
	}
	return nil
}

// recorded reads the migration; nil when there is none yet.
func (e *engine) recorded(ctx context.Context) (*target.Migration, error) {
	if e.absent {
		return nil, nil //nolint:nilnil // as below
	}
	installed, err := target.Installed(ctx, e.dst)
	if err != nil || !installed {
		return nil, err
	}
	return target.Load(ctx, e.dst, e.o.Name)
}

// question describes the migration to preflight; m is nil when it is new.
func (e *engine) question(m *target.Migration) validate.PreflightOptions {
	o := validate.PreflightOptions{
		Source: e.src, Target: e.dst, TargetAbsent: e.absent, TargetDatabase: e.o.Target.Database(), Method: validate.Method(e.o.Method), Resuming: m != nil,
		Tables: e.o.Filter.Tables, ExcludeTables: e.o.Filter.ExcludeTables,
		Schemas: e.o.Filter.Schemas, ExcludeSchemas: e.o.Filter.ExcludeSchemas,
		Publications: e.o.Publications, NoSchema: e.o.NoSchema, NoOwner: e.o.NoOwner, NoLargeObjects: e.o.NoLargeObjects,
		NoRoles: e.o.NoRoles, ExcludeRoles: e.o.ExcludeRoles, NoExtensions: e.o.NoExtensions, ExcludeExtensions: e.o.ExcludeExtensions,
		IfNotEmpty: validate.NotEmpty(e.o.IfNotEmpty), MaxTotalBytes: e.o.MaxTotalBytes,
		Jobs: e.o.Jobs, ApplyJobs: e.o.ApplyJobs, Measure: e.o.Measure,
		ConnectReplication: func(ctx context.Context) (*pgconn.PgConn, error) {
			return e.o.Source.ConnectReplication(ctx, conninfo.WithPurpose("validate"))
		},
		FindPrograms: func(ctx context.Context, sourceMajor int) error {
			_, err := schema.FindPGBin(ctx, e.o.PGBin, sourceMajor)
			return err
		},
	}
	if m != nil && m.Slot == "" {
		o.Method = validate.Dump // it was begun as one
	}
	if o.Method != validate.Dump {
		o.Slot = e.slotName()
		if len(e.o.Publications) == 0 {
			o.NewPublications = []string{o.Slot, sqltext.Suffixed(o.Slot, "_insert")}
		}
	}
	return o
}
