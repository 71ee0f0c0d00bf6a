package wire

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/errors"
)

// Fate is what becomes of one protocol message.
type Fate int

// The fates of a message. After a cut neither side hears anything more of the other.
const (
	Pass      Fate = iota
	CutBefore      // nothing of it arrives
	CutInside      // its first half arrives
	CutAfter       // it arrives, and nothing that answers it
)

// Message is what a rule sees of one protocol message.
type Message struct {
	FromClient bool
	// Kind is the message's type byte; 0 for those of the start-up, which have none.
	Kind byte
	// Head is the beginning of the body, at most HeadBytes. It is valid during the call.
	Head []byte
}

// HeadBytes is how much of a message's body a rule sees.
const HeadBytes = 512

// Proxy carries connections to one server. Its methods are safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	rule     atomic.Pointer[func(Message) Fate]
	// split bounds how many bytes are written at once; 0 does not.
	split atomic.Int64

	mu       sync.Mutex
	resumed  chan struct{} // closed unless stalled
	refusing bool
	links    map[*link]struct{}
	carried  sync.WaitGroup
}

// Listen opens a port of 127.0.0.1 in front of the server at target, a host:port, and
// carries connections until Close.
func Listen(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Wrap(err, "listen for connections")
	}
	p := &Proxy{target: target, listener: listener, resumed: make(chan struct{}), links: map[*link]struct{}{}}
	close(p.resumed)
	p.carried.Go(p.accept)
	return p, nil
}

// Addr is the host:port that the proxy listens on.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close cuts all connections and waits until nothing is carried anymore.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Resume()
	p.Cut()
	p.carried.Wait()
	return errors.Wrap(err, "close the proxy")
}

// Rule lets f decide about every message from now on; nil lets all pass. It is called
// by one goroutine for each direction of each connection. Connections that negotiate
// TLS are carried without a rule.
func (p *Proxy) Rule(f func(Message) Fate) {
	if f == nil {
		p.rule.Store(nil)
		return
	}
	p.rule.Store(&f)
}

// Split writes at most n bytes at once, 0 as many as there are.
func (p *Proxy) Split(n int) { p.split.Store(int64(n)) }

// Refuse cuts all connections and accepts no new ones, until it is called with false.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	p.refusing = refuse
	p.mu.Unlock()
	if refuse {
		p.Cut()
	}
}

// Stall goes on accepting connections and carries nothing, until Resume.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.resumed:
		p.resumed = make(chan struct{})
	default:
	}
}

// Resume ends a stall.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.resumed:
	default:
		close(p.resumed)
	}
}

// Cut ends the connections that there are and returns how many.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	for _, l := range links {
		l.cut()
	}
	return len(links)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		refusing := p.refusing
		p.mu.Unlock()
		if refusing {
			_ = client.Close()
			continue
		}
		p.carried.Go(func() { p.carry(client) })
	}
}

func (p *Proxy) carry(client net.Conn) {
	var d net.Dialer
	server, err := d.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{proxy: p, client: client, server: server, gone: make(chan struct{})}
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.direction(client, server, true) })
	both.Go(func() { l.direction(server, client, false) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// stalled returns what is closed when bytes may go on.
func (p *Proxy) stalled() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resumed
}
