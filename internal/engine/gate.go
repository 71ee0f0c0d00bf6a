package engine

import "sync"

// gate lets the first signal through only while it is open.
type gate struct {
	mu     sync.Mutex
	closed bool          // signals are refused
	passed chan struct{} // closed when one was let through
	gone   bool          // it was
}

func newGate() *gate { return &gate{passed: make(chan struct{})} }

// watch passes stop on, or calls refused once. The returned function ends that and waits.
func (g *gate) watch(stop <-chan struct{}, refused func()) (passed <-chan struct{}, end func()) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-stop:
			if !g.pass() {
				refused()
			}
		case <-over:
		}
	})
	return g.passed, func() {
		close(over)
		wg.Wait()
	}
}

func (g *gate) pass() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.gone = true
	close(g.passed)
	return true
}

// shut refuses signals from now on; false when one was let through before.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.gone {
		g.closed = true
	}
	return g.closed
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}
