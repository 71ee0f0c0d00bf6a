// Package delay is a TCP proxy that makes a link on one machine as slow to
// answer as a long one.
package delay

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"
)

// Options describe the link. RTT and Target are required.
type Options struct {
	// Target is the host:port to connect to.
	Target string
	// RTT is added to each round trip, half of it in each direction.
	RTT time.Duration
	// Window bounds the bytes in flight in one direction, as TCP's windows do: no
	// more than Window per RTT get through. Default: 4 MiB.
	Window int
}

// Proxy is a listening proxy.
type Proxy struct {
	o        Options
	listener net.Listener
}

// Listen opens a port of 127.0.0.1. The caller runs [Proxy.Serve], which closes it.
func Listen(o Options) (*Proxy, error) {
	if o.Window <= 0 {
		o.Window = 4 << 20
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Wrap(err, "listen for connections to delay")
	}
	return &Proxy{o: o, listener: listener}, nil
}

// Addr returns the host:port that the proxy listens on.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Serve carries connections until ctx ends, then closes them all. A connection
// that breaks is not an error of the proxy's.
func (p *Proxy) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = p.listener.Close() })
	defer stop()
	var carried sync.WaitGroup
	defer carried.Wait()
	for {
		client, err := p.listener.Accept()
		if ctx.Err() != nil {
			return nil // the listener was closed because of it
		}
		if err != nil {
			return errors.Wrap(err, "accept a connection to delay")
		}
		carried.Go(func() { _ = p.carry(ctx, client) }) // both ends see the break
	}
}

// carry connects to the target and delays both directions until both have ended.
func (p *Proxy) carry(ctx context.Context, client net.Conn) error {
	defer client.Close() //nolint:errcheck // it has ended
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", p.o.Target)
	if err != nil {
		return err
	}
	defer server.Close() //nolint:errcheck // it has ended
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()
	g.Go(func() error { return p.direction(ctx, client, server) })
	g.Go(func() error { return p.direction(ctx, server, client) })
	return g.Wait()
}
