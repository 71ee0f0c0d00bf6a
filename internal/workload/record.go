package workload

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/cockroachdb/errors"
)

// oneAtATime sets up a session whose statements run alone: one that has to wait for a lock
// waits for a session that waits for it.
const oneAtATime = "SET lock_timeout = '20ms'"

// errStopped ends a session whose turn never comes again.
var errStopped = errors.New("the recording has been stopped")

// player is a session that stands before its next statement.
type player struct {
	session *session
	step    Step
	next    func() (Step, bool)
	stop    func()
	err     error
}

// Record runs about as many transactions, of all sessions, one statement at a time in an
// order that the seed chooses, and returns what was run. It is to be called instead of
// [Generator.Run]. Rows are named by their values.
func (g *Generator) Record(ctx context.Context, transactions int) (History, error) {
	conn, err := open(ctx, g.uri)
	if err != nil {
		return nil, err
	}
	known, err := readCatalog(ctx, conn, g.o)
	if err = errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx))); err != nil {
		return nil, err
	}
	begin, end := context.WithCancel(ctx)
	defer end()
	players := make([]*player, g.o.Sessions)
	for i := range players {
		players[i] = &player{session: &session{g: g, catalog: known, number: i, r: rand.New(rand.NewPCG(g.o.Seed, uint64(i)))}}
		players[i].start(begin)
		defer players[i].stop()
	}
	return play(players, rand.New(rand.NewPCG(g.o.Seed, uint64(len(players)))), transactions, end)
}

// play lets the players take turns until all have ended.
func play(players []*player, r *rand.Rand, transactions int, end func()) (History, error) {
	var h History
	begun := 0
	of := map[int]int{} // the transaction that a session is in
	for len(players) > 0 {
		p := players[r.IntN(len(players))]
		// What it stands before is run by the same call that comes to the next one.
		if p.step.SQL != "" {
			if p.step.SQL == "BEGIN" {
				begun++
				of[p.step.Session] = begun
			}
			p.step.Transaction = of[p.step.Session]
			h = append(h, p.step)
		}
		if begun >= transactions {
			end()
		}
		step, more := p.next()
		p.step = step
		if more {
			continue
		}
		if p.err != nil {
			return h, errors.Wrapf(p.err, "workload session %d", errors.Safe(p.session.number))
		}
		players = slices.DeleteFunc(players, func(other *player) bool { return other == p })
	}
	return h, nil
}

// start makes the session a coroutine that yields before each statement.
func (p *player) start(ctx context.Context) {
	p.next, p.stop = iter.Pull(func(yield func(Step) bool) {
		p.session.turn = func(step Step) error {
			if !yield(step) {
				p.session.turn = func(Step) error { return errStopped }
				return errStopped
			}
			return nil
		}
		p.err = p.session.run(ctx)
	})
}
