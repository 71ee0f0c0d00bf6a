package engine

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// summary tells what the run came to, from what the target holds.
func (e *engine) summary(ctx context.Context) (*status.Summary, error) {
	s := &status.Summary{
		SchemaVersion: status.SchemaVersion, Name: e.m.Name, Database: e.m.Database,
		Method: string(MethodReplication), Status: string(e.m.Phase),
		SequencesSet: e.sequencesSet, Warnings: e.warnings, Skipped: []string{}, Tables: []status.Table{},
	}
	if e.m.Slot == "" {
		s.Method = string(MethodDump)
	}
	c, err := target.LoadCheckpoint(ctx, e.dst, e.m.Name)
	if err != nil {
		return nil, err
	}
	if c != nil {
		s.AppliedLSN = c.LSN.String()
	}
	if s.LargeObjects, err = target.LargeObjects(ctx, e.dst, e.m.Name); err != nil {
		return nil, err
	}
	tables, err := target.Tables(ctx, e.dst, e.m.Name)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		s.Tables = append(s.Tables, tableStatus(t))
		switch name := t.Namespace + "." + t.Name; {
		case t.State == target.TableSkipped:
			s.Skipped = append(s.Skipped, "table "+name+": "+t.Reason)
		case t.Reason != "":
			s.Warnings = append(s.Warnings, "table "+name+": "+t.Reason)
		}
	}
	if s.Roles, err = e.roleResults(ctx); err != nil {
		return nil, err
	}
	warnings, err := target.Warnings(ctx, e.dst, e.m.Name)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		s.Warnings = append(s.Warnings, w.Kind+" "+w.Object+": "+w.Message)
	}
	s.Databases = []status.DatabaseResult{{Database: s.Database, Method: s.Method, Status: s.Status}}
	s.Cutover, err = cutoverStatus(ctx, e.dst, e.m)
	return s, err
}

// cutoverStatus tells how the cutover goes or went; nil when there was none.
func cutoverStatus(ctx context.Context, dst *pgx.Conn, m *target.Migration) (*status.Cutover, error) {
	steps, err := target.Steps(ctx, dst, m.Name)
	if err != nil || len(steps) == 0 {
		return nil, err
	}
	c := &status.Cutover{Fence: string(cutover.FenceNone), Decided: m.DecidedAt != nil}
	if m.FencedAt != nil {
		c.Fence = string(cutover.FenceReadOnly)
		if m.DecidedAt != nil {
			c.FencedSeconds = m.DecidedAt.Sub(*m.FencedAt).Seconds()
		}
	}
	if m.FinalLSN != 0 {
		c.FinalLSN = m.FinalLSN.String()
	}
	for _, s := range steps {
		c.Steps = append(c.Steps, status.Step{Step: s.Name, State: string(s.State), Seconds: s.Seconds, Detail: s.Detail})
		c.Verified = c.Verified || s.Name == cutover.StepVerify && s.State == target.StepDone && s.Detail != ""
	}
	return c, nil
}

func tableStatus(t target.Table) status.Table {
	return status.Table{
		Table: t.Namespace + "." + t.Name, State: string(t.State), Rows: t.Rows, Bytes: t.Bytes, Seconds: t.Seconds,
		MissedUpdates: t.MissedUpdates, MissedDeletes: t.MissedDeletes, Reason: t.Reason, RowByRow: t.RowByRow,
	}
}
