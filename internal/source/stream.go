package source

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sync/errgroup"
)

// StreamOptions say what to stream. Slot and Positions are required.
type StreamOptions struct {
	Slot string
	// Start is the end LSN of the last transaction that is durable on the target.
	// The source begins at the slot's own position when that is later.
	Start LSN
	// PluginOptions are quoted pairs such as proto_version '1'.
	PluginOptions []string
	// StatusInterval is the longest time between two reports.
	// Default: 10 s, at most half of the server's wal_sender_timeout.
	StatusInterval time.Duration
	// PeerTimeout is how long the server may be silent, asked half-way to answer.
	// Default: the server's wal_sender_timeout, at least one minute.
	PeerTimeout time.Duration
	// Positions are reported to the source; Stream sets what was received.
	Positions *Positions
	// Paced makes reads slower than the source's sends while the changes are old,
	// which lets a backlog arrive faster. It has an effect by TCP over short paths.
	Paced bool
	// Describe names what a payload is about, for the error when a message is larger
	// than the 1 GiB that a server can send; it gets the beginning of the payload.
	// Default: the error gives the position alone.
	Describe func(payload []byte) string
	// Logger. Default: the connection's.
	Logger *slog.Logger
}

// farewell bounds the orderly end of a stream.
const farewell = 2 * time.Second

// Stream starts replication and calls push for each message of the slot, with its
// walStart (0 for messages that describe tables) and payload, which is valid during
// the call only. For each keepalive it calls idle with the position up to which
// everything was sent; a nil idle ignores it. Both are called by one goroutine,
// the caller's. While they block, positions are still reported.
//
// Stream ends with the first error: of push or idle, of the connection, of the
// server, or the cause of ctx. It never returns nil. Before, it reports the
// positions once more, ends the stream and closes the connection; no goroutine is
// left. Errors of the server keep their *pgconn.PgError.
func (c *Conn) Stream(ctx context.Context, o StreamOptions,
	push func(walStart LSN, payload []byte) error, idle func(walEnd LSN, replyRequested bool) error,
) error {
	if o.PeerTimeout == 0 {
		o.PeerTimeout = max(c.senderTimeout, time.Minute)
	}
	if o.StatusInterval == 0 {
		o.StatusInterval = 10 * time.Second
		if c.senderTimeout > 0 {
			o.StatusInterval = min(o.StatusInterval, c.senderTimeout/2)
		}
	}
	if o.Logger == nil {
		o.Logger = c.logger
	}
	conn, err := c.hijack(ctx)
	if err != nil {
		return errors.Wrapf(err, "start replication on slot %q at %s", o.Slot, errors.Safe(o.Start))
	}
	defer conn.Close() //nolint:errcheck // whatever is left to say was said

	o.Positions.received.Store(uint64(max(o.Start, o.Positions.Flushed())))
	s := &stream{
		options: o, push: push, idle: idle,
		feedback: &feedback{
			conn: conn, positions: o.Positions, interval: o.StatusInterval, peerTimeout: o.PeerTimeout,
			wake: make(chan struct{}, 1),
		},
	}
	if paced := pacedUnder(conn); o.Paced && paced != nil && paced.prepare() {
		s.paced = paced
	}
	return s.run(ctx, c, conn)
}

// hijack takes the network connection away from pgconn, which would read ahead.
func (c *Conn) hijack(ctx context.Context) (net.Conn, error) {
	if err := c.conn.SyncConn(ctx); err != nil {
		return nil, err
	}
	h, err := c.conn.Hijack()
	if err != nil {
		return nil, err
	}
	if unread := h.Frontend.ReadBufferLen(); unread != 0 {
		_ = h.Conn.Close()
		return nil, errors.AssertionFailedf("%d bytes were read ahead of the stream", errors.Safe(unread))
	}
	return h.Conn, nil
}

// stream is one run of START_REPLICATION.
type stream struct {
	options  StreamOptions
	push     func(LSN, []byte) error
	idle     func(LSN, bool) error
	feedback *feedback
	reader   *reader
	deadline time.Time
	// paced is nil when reads are not paced.
	paced *pacedConn
	// sentTime and commitTime are of the newest message and transaction, both by the
	// source's clock, in microseconds.
	sentTime, commitTime int64
	// healthy is false once the connection has failed or the server has ended the stream.
	healthy bool
}

func (s *stream) run(ctx context.Context, c *Conn, conn net.Conn) error {
	s.healthy = true
	// Order matters in before: the deadline that was just set must not hide the
	// one in the past that the end of ctx sets.
	s.reader = newReader(conn, func() error {
		if s.paced != nil {
			s.paced.on = s.sentTime-s.commitTime > behind.Microseconds()
		}
		now := time.Now()
		s.feedback.heard.Store(now.UnixNano())
		if s.deadline.Sub(now) < s.options.PeerTimeout*3/4 {
			s.deadline = now.Add(s.options.PeerTimeout)
			if err := conn.SetReadDeadline(s.deadline); err != nil {
				return err
			}
		}
		return context.Cause(ctx)
	})
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // fails on a closed connection only
		close(interrupted)
	})
	settle := sync.OnceFunc(func() {
		if !stop() {
			<-interrupted
		}
	})
	defer settle()

	if err := s.start(ctx); err != nil {
		return errors.Wrapf(c.slotError(ctx, err, s.options.Slot), "start replication on slot %q at %s", s.options.Slot, errors.Safe(s.options.Start))
	}
	reportCtx, stopReports := context.WithCancel(ctx)
	var reports errgroup.Group
	reports.Go(func() error { return s.feedback.run(reportCtx) })
	err := s.receive(ctx)
	stopReports()
	reportErr := reports.Wait()
	if s.healthy && reportErr == nil {
		settle()
		s.end(conn)
	}
	if err == nil {
		err = reportErr
	}
	var e *pgconn.PgError
	if errors.As(err, &e) && !s.healthy {
		err = c.slotError(ctx, err, s.options.Slot)
	}
	return errors.Wrapf(err, "stream slot %q after %s", s.options.Slot, errors.Safe(s.options.Positions.Received()))
}

// start sends START_REPLICATION and waits until the stream is open.
func (s *stream) start(ctx context.Context) error {
	command := "START_REPLICATION SLOT " + quoteName(s.options.Slot) + " LOGICAL " + s.options.Start.String()
	if len(s.options.PluginOptions) > 0 {
		command += " (" + strings.Join(s.options.PluginOptions, ", ") + ")"
	}
	query, err := (&pgproto3.Query{String: command}).Encode(nil)
	if err != nil {
		return err
	}
	if err := s.feedback.write(query); err != nil {
		return err
	}
	for {
		kind, body, err := s.reader.next()
		if err != nil {
			return s.readError(ctx, err)
		}
		if kind == 'W' { // CopyBothResponse
			return nil
		}
		if err := s.outOfBand(ctx, kind, body); err != nil {
			return err
		}
	}
}

// receive hands out messages until the first error.
func (s *stream) receive(ctx context.Context) error {
	for {
		kind, body, err := s.reader.next()
		if err != nil {
			return s.readError(ctx, err)
		}
		if kind == 'd' {
			err = s.copyData(body)
		} else {
			err = s.outOfBand(ctx, kind, body)
		}
		if err != nil {
			return err
		}
	}
}

// copyData takes one message of the streaming protocol apart.
func (s *stream) copyData(body []byte) error {
	switch {
	case len(body) >= 25 && body[0] == 'w':
		walStart := LSN(binary.BigEndian.Uint64(body[1:]))
		s.options.Positions.SetReceived(walStart)
		s.sentTime = int64(binary.BigEndian.Uint64(body[17:])) //nolint:gosec // microseconds
		if len(body) >= 25+17 && body[25] == 'B' {
			s.commitTime = int64(binary.BigEndian.Uint64(body[25+9:])) //nolint:gosec // microseconds
		}
		return s.push(walStart, body[25:])
	case len(body) == 18 && body[0] == 'k':
		walEnd := LSN(binary.BigEndian.Uint64(body[1:]))
		replyRequested := body[17] != 0
		s.options.Positions.SetReceived(walEnd)
		if replyRequested {
			s.feedback.now() // before idle, which may block
		}
		if s.idle == nil {
			return nil
		}
		flushed := s.options.Positions.Flushed()
		err := s.idle(walEnd, replyRequested)
		if replyRequested && s.options.Positions.Flushed() != flushed {
			s.feedback.now() // a source that shuts down waits for just this
		}
		return err
	}
	s.healthy = false
	return errors.Newf("a replication message of %d bytes that this program does not know", errors.Safe(len(body)))
}

// outOfBand handles what is neither data nor keepalive.
func (s *stream) outOfBand(ctx context.Context, kind byte, body []byte) error {
	switch kind {
	case 'N', 'E':
		var response pgproto3.ErrorResponse // a notice has the same form
		if err := response.Decode(body); err != nil {
			s.healthy = false
			return errors.Wrap(err, "decode the server's error")
		}
		if kind == 'E' {
			s.healthy = false
			return pgconn.ErrorResponseToPgError(&response)
		}
		s.options.Logger.InfoContext(ctx, "notice from the source", slog.String("slot", s.options.Slot),
			slog.String("severity", response.Severity), slog.String("sqlstate", response.Code), slog.String("message", response.Message))
		return nil
	case 'S', 'A': // ParameterStatus, NotificationResponse
		return nil
	case 'c', 'C', 'Z': // CopyDone, CommandComplete, ReadyForQuery
		s.healthy = false
		return errors.Wrap(io.ErrUnexpectedEOF, "the source has ended the stream, as it does when it shuts down")
	}
	s.healthy = false
	return errors.Newf("unexpected message %q", kind)
}

// readError names what a failed read means.
func (s *stream) readError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.healthy = false
	var large *tooLargeError
	if errors.As(err, &large) {
		return s.describeTooLarge(large)
	}
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return errors.WithDetailf(err, "The source sent nothing for %s and did not answer when asked.", errors.Safe(s.options.PeerTimeout))
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// describeTooLarge says which table a message that is too large is about.
func (s *stream) describeTooLarge(e *tooLargeError) error {
	err := errors.WithStack(e)
	if e.kind != 'd' || e.prefix[0] != 'w' {
		return err
	}
	err = errors.Wrapf(err, "read the change at %s", errors.Safe(LSN(binary.BigEndian.Uint64(e.prefix[1:]))))
	if s.options.Describe == nil {
		return err
	}
	return errors.Wrap(err, s.options.Describe(e.prefix[25:]))
}

// end reports the positions a last time and ends the stream in order, so that the
// slot is free when Stream returns. It gives up after a moment: a server in the
// midst of a large transaction sends that first.
func (s *stream) end(conn net.Conn) {
	s.feedback.peerTimeout = farewell
	if s.feedback.report() != nil || s.feedback.write([]byte{'c', 0, 0, 0, 4}) != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(farewell)) != nil {
		return
	}
	s.reader.before = func() error { return nil }
	for {
		kind, _, err := s.reader.next()
		if err != nil {
			return
		}
		if kind == 'Z' || kind == 'E' {
			_ = s.feedback.write([]byte{'X', 0, 0, 0, 4}) // a courtesy before closing
			return
		}
	}
}
