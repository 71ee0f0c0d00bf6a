package engine

import (
	"context"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/target"
)

// choices are the options of a migration that the commands which end it need too.
// The last run that moved something keeps its own on the target.
type choices struct {
	Filter         catalog.Filter
	Publications   []string
	Method         Method
	NoSchema       bool
	NoOwner        bool
	NoLargeObjects bool
	IfNotEmpty     NotEmpty
	// ExcludeExtensions are left out also of what is copied at the end.
	ExcludeExtensions []string
}

func (e *engine) saveChoices(ctx context.Context) error {
	return target.SaveChoices(ctx, e.dst, e.m.Name, choices{
		Filter: e.o.Filter, Publications: e.o.Publications, Method: e.o.Method,
		NoSchema: e.o.NoSchema, NoOwner: e.o.NoOwner, IfNotEmpty: e.o.IfNotEmpty,
		NoLargeObjects: e.o.NoLargeObjects, ExcludeExtensions: e.o.ExcludeExtensions,
	})
}

// loadChoices takes over the options of the migration's last run, and its lanes.
func (e *engine) loadChoices(ctx context.Context) error {
	var c choices
	if err := target.LoadChoices(ctx, e.dst, e.m.Name, &c); err != nil {
		return err
	}
	e.o.Filter, e.o.Publications, e.o.Method = c.Filter, c.Publications, c.Method
	e.o.NoSchema, e.o.NoOwner, e.o.IfNotEmpty = c.NoSchema, c.NoOwner, c.IfNotEmpty
	e.o.NoLargeObjects, e.o.ExcludeExtensions = c.NoLargeObjects, c.ExcludeExtensions
	checkpoint, err := target.LoadCheckpoint(ctx, e.dst, e.m.Name)
	if checkpoint != nil {
		e.o.ApplyJobs = len(checkpoint.Lanes)
	}
	return err
}
