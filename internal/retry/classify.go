package retry

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"syscall"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrTransient marks an error as one that passes by itself, where its SQLSTATE
// alone does not tell: errors.Mark(err, retry.ErrTransient).
var ErrTransient = errors.New("transient")

// Retryable reports whether the operation that gave err may succeed when it is
// repeated on a new connection. A server's answer decides before anything else
// in the chain.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, ErrTransient) {
		return true
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return retryableState(pgErr.Code)
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	return retryableNetwork(err)
}

// retryableState judges a SQLSTATE.
func retryableState(code string) bool {
	switch code {
	case "08P01": // protocol violation: a pooler that refuses a parameter
		return false
	case
		"25P03", // idle_in_transaction_session_timeout, set by a pooler or an administrator
		"40001", "40P01", "40003",
		"53000", "53100", "53200", "53300", // 53400 (no free slot) needs an operator
		"55P03",                            // lock_not_available
		"57P01", "57P02", "57P03", "57P05": // 57P04 is a dropped database
		return true
	}
	return len(code) == 5 && code[:2] == "08"
}

// retryableNetwork judges an error that did not come from a server.
func retryableNetwork(err error) bool {
	var (
		dnsErr   *net.DNSError
		alert    tls.AlertError
		opErr    *net.OpError
		netErr   net.Error
		sysErr   syscall.Errno
		shutDown = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed)
	)
	switch {
	case errors.As(err, &dnsErr):
		return dnsErr.IsTemporary || dnsErr.IsTimeout
	case errors.As(err, &alert):
		return false // the other side refuses this certificate or version
	case shutDown:
		return true
	case errors.As(err, &sysErr) && sysErr == syscall.ENOENT:
		return errors.As(err, &opErr) // the Unix socket of a server that restarts; else a file
	case errors.As(err, &sysErr):
		return retryableErrno(sysErr)
	case errors.As(err, &opErr):
		return opErr.Op != "remote error" // a TLS alert of older standard libraries
	case errors.As(err, &netErr) && netErr.Timeout():
		return true
	}
	return pgconn.SafeToRetry(err)
}

func retryableErrno(e syscall.Errno) bool {
	switch e { //nolint:exhaustive // all others are no matter of the network
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.ENOTCONN,
		syscall.EADDRNOTAVAIL: // no local port is free for the moment
		return true
	}
	return e.Timeout()
}
