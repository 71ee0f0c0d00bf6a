package engine

import (
	"context"
	"sync"
)

// groupCopies is how many databases of a group are brought over at once: each does
// several tables at once, and the slots of those that wait are not made yet.
const groupCopies = 2

// group is what the runs of several databases share. All methods work on nil, as a
// run of one database has none.
type group struct {
	databases []string
	turns     chan struct{}
	roles     sync.Mutex
}

func newGroup(databases []string) *group {
	return &group{databases: databases, turns: make(chan struct{}, groupCopies)}
}

// names are the databases of the group.
func (g *group) names() []string {
	if g == nil {
		return nil
	}
	return g.databases
}

// enter waits for a turn to bring a database over; leave gives it to another.
func (g *group) enter(ctx context.Context) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	select {
	case g.turns <- struct{}{}:
		return func() { <-g.turns }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// lockRoles lets one run at a time make roles, which all databases share.
func (g *group) lockRoles() (unlock func()) {
	if g == nil {
		return func() {}
	}
	g.roles.Lock()
	return g.roles.Unlock
}
