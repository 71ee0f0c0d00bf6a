package applier

import (
	"context"
	"sync"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
)

// routes are the host's decisions, the same for all lanes.
type routes struct {
	mu    sync.Mutex
	of    func(ctx context.Context, relation *decoder.Relation) (Route, error)
	known map[uint32]knownRoute // by the relation's OID
}

// knownRoute is that of the newest definition of a table.
type knownRoute struct {
	relation *decoder.Relation
	Route
}

// route returns the relation's.
func (r *routes) route(ctx context.Context, relation *decoder.Relation) (Route, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.known[relation.OID]; known.relation == relation {
		return known.Route, nil
	}
	route, err := r.of(ctx, relation)
	if err != nil {
		return Route{}, errors.Wrapf(err, "decide about table %s.%s", relation.Namespace, relation.Name)
	}
	if r.known == nil {
		r.known = map[uint32]knownRoute{}
	}
	r.known[relation.OID] = knownRoute{relation, route}
	return route, nil
}

// route is the relation's route in this lane: others write what is not its own, and
// what its checkpoint covers is on the target.
func (l *lane) route(ctx context.Context, relation *decoder.Relation) (Route, error) {
	route, err := l.routes.route(ctx, relation)
	if err != nil {
		return Route{}, err
	}
	if l.options.Lanes == 1 {
		route.Split = nil
	}
	lane := route.Lane % l.options.Lanes
	if lane < 0 {
		lane += l.options.Lanes
	}
	route.Skip = route.Skip || len(route.Split) == 0 && lane != l.number
	route.Watermark = max(route.Watermark, l.options.start(l.number))
	return route, nil
}
