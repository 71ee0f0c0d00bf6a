package engine

import (
	"context"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/target"
)

// routes says, for the applier, what happens to each table's changes.
type routes struct {
	e      *engine
	tables map[catalog.Name]target.Table
}

func (e *engine) newRoutes(ctx context.Context) (*routes, error) {
	tables, err := target.Tables(ctx, e.dst, e.m.Name)
	if err != nil {
		return nil, err
	}
	r := &routes{e: e, tables: make(map[catalog.Name]target.Table, len(tables))}
	for _, t := range tables {
		r.tables[catalog.Name{Schema: t.Namespace, Name: t.Name}] = t
	}
	return r, nil
}

// route implements [applier.Options].Table. A table that the ledger does not
// know was published after this attempt began: the next one copies it, and its
// changes up to that copy are in the copied rows. Where nothing is copied, it is in
// the first lane until the lanes stand together (see [engine.align]).
func (r *routes) route(_ context.Context, rel *decoder.Relation) (applier.Route, error) {
	name := catalog.Name{Schema: rel.Namespace, Name: rel.Name}
	t, known := r.tables[name]
	switch {
	case known && t.State == target.TableSkipped:
		return applier.Route{Skip: true}, nil
	case known:
		return applier.Route{Watermark: t.Watermark, Lane: max(0, t.Lane), Split: t.Split}, nil
	case r.e.command == target.Stream:
		return applier.Route{}, nil
	}
	r.e.unknown = append(r.e.unknown, name)
	return applier.Route{}, errors.Mark(errors.Newf("table %s was published after the run began", name), errAgain)
}
