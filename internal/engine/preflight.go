package engine

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/conninfo"
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

// Validate runs the preflight of a migration and changes nothing on either side.
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
	m, err := e.peek(ctx)
	if err != nil {
		return validate.Report{}, err
	}
	report, err := e.preflight(ctx, o.Method == MethodDump, m != nil && m.ConsistentPoint != 0)
	return e.withoutDatabase(report), err
}

// check connects to both sides and, when the migration is new, runs the
// preflight and decides how the data moves. It changes nothing.
func (e *engine) check(ctx context.Context) error {
	defer e.close(ctx)
	m, err := e.peek(ctx)
	if err != nil {
		return err
	}
	if m != nil && m.Phase != target.Preparing {
		return nil
	}
	if err := e.checkChoices(ctx); err != nil {
		return err
	}
	if e.absent {
		if err := e.checkCreate(ctx); err != nil {
			return err
		}
	}
	report, err := e.preflight(ctx, e.o.Method == MethodDump, m != nil)
	if err != nil {
		return err
	}
	report = e.withoutDatabase(report)
	if !report.OK() && e.o.Method == MethodAuto && len(e.o.Publications) == 0 && m == nil {
		dump, err := e.preflight(ctx, true, false)
		if err != nil {
			return err
		}
		if dump = e.withoutDatabase(dump); dump.OK() {
			e.o.Method = MethodDump
			e.o.Logger.WarnContext(ctx, "replication is not possible: one consistent copy is made instead", "reason", (&BlockedError{report}).Error())
		}
	}
	for _, f := range report.Findings {
		switch f.Severity {
		case validate.Error:
			if e.o.Method != MethodDump {
				return errors.Mark(&BlockedError{Report: report}, ErrBlocked)
			}
		case validate.Warning:
			e.o.Logger.WarnContext(ctx, "preflight", "id", f.ID, "object", f.Object, "reason", f.Message, "hint", f.Hint)
		case validate.Info:
		}
	}
	return nil
}

// peek connects and reads the migration; nil when there is none yet.
func (e *engine) peek(ctx context.Context) (*target.Migration, error) {
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	if e.absent {
		return nil, nil
	}
	installed, err := target.Installed(ctx, e.dst)
	if err != nil || !installed {
		return nil, err
	}
	return target.Load(ctx, e.dst, e.o.Name)
}

func (e *engine) preflight(ctx context.Context, copyOnly, resuming bool) (validate.Report, error) {
	o := validate.PreflightOptions{
		Source: e.src, Target: e.dst, CopyOnly: copyOnly, Resuming: resuming,
		Tables: e.o.Filter.Tables, ExcludeTables: e.o.Filter.ExcludeTables,
		Schemas: e.o.Filter.Schemas, ExcludeSchemas: e.o.Filter.ExcludeSchemas,
		Publications: e.o.Publications, NoSchema: e.o.NoSchema, IfNotEmpty: validate.NotEmpty(e.o.IfNotEmpty), MaxTotalBytes: e.o.MaxTotalBytes,
		ConnectReplication: func(ctx context.Context) error {
			conn, err := e.o.Source.ConnectReplication(ctx, conninfo.WithPurpose("check"))
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
	}
	if !copyOnly {
		o.Slot = e.slotName()
		if len(e.o.Publications) == 0 {
			o.NewPublications = []string{o.Slot, sqltext.Suffixed(o.Slot, "_insert")}
		}
	}
	return validate.Preflight(ctx, o)
}
