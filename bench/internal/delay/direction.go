package delay

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/cockroachdb/errors"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

const (
	// chunkBytes is the largest piece that is delayed as one.
	chunkBytes = 64 << 10
	// flightChunks bounds the pieces under way; the window bounds their bytes.
	flightChunks = 1 << 16
)

// chunk is a piece of the stream and when it arrives.
type chunk struct {
	data    []byte
	arrives time.Time
}

// receipt is an acknowledgement on its way back.
type receipt struct {
	bytes   int64
	arrives time.Time
}

// direction delays one direction until its end. Bytes are in flight from their
// read until the acknowledgement of their write would be back.
func (p *Proxy) direction(ctx context.Context, from, to net.Conn) error {
	window := semaphore.NewWeighted(int64(max(p.o.Window, chunkBytes)))
	flight := make(chan chunk, flightChunks)
	receipts := make(chan receipt, flightChunks)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(flight)
		return p.send(ctx, from, window, flight)
	})
	g.Go(func() error {
		defer close(receipts)
		return p.deliver(ctx, flight, to, receipts)
	})
	g.Go(func() error {
		for r := range receipts {
			if err := waitUntil(ctx, r.arrives); err != nil {
				return err
			}
			window.Release(r.bytes)
		}
		return nil
	})
	return g.Wait()
}

// send reads what the window lets through.
func (p *Proxy) send(ctx context.Context, from net.Conn, window *semaphore.Weighted, flight chan<- chunk) error {
	buf := make([]byte, chunkBytes)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if err := window.Acquire(ctx, int64(n)); err != nil {
				return err
			}
			select {
			case flight <- chunk{append([]byte(nil), buf[:n]...), time.Now().Add(p.o.RTT / 2)}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes each chunk when it arrives, and then ends the connection's
// direction; the other one goes on.
func (p *Proxy) deliver(ctx context.Context, flight <-chan chunk, to net.Conn, receipts chan<- receipt) error {
	for c := range flight {
		if err := waitUntil(ctx, c.arrives); err != nil {
			return err
		}
		if _, err := to.Write(c.data); err != nil {
			return err
		}
		select {
		case receipts <- receipt{int64(len(c.data)), time.Now().Add(p.o.RTT / 2)}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if tcp, ok := to.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return to.Close()
}

func waitUntil(ctx context.Context, at time.Time) error {
	left := time.Until(at)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
