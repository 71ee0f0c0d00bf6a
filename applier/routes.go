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
	known map[*decoder.Relation]Route
}

// route returns the relation's.
func (r *routes) route(ctx context.Context, relation *decoder.Relation) (Route, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if route, ok := r.known[relation]; ok {
		return route, nil
	}
	route, err := r.of(ctx, relation)
	if err != nil {
		return Route{}, errors.Wrapf(err, "decide about table %s.%s", relation.Namespace, relation.Name)
	}
	for other := range r.known {
		if other.OID == relation.OID {
			delete(r.known, other)
		}
	}
	if r.known == nil {
		r.known = map[*decoder.Relation]Route{}
	}
	r.known[relation] = route
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
