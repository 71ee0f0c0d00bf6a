package conninfo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

// explain turns pgx's report of every attempt into one error about the attempt
// that tells most, with a hint. pgx's own error carries the configuration and
// with it the password, so it is taken apart, not wrapped.
func (i *Info) explain(err error) error {
	attempts := attemptsOf(err)
	cause := attempts[0]
	var pgErr *pgconn.PgError
	for _, a := range attempts {
		// A server's answer tells more than a failed attempt beside it, and the
		// last answer is about the kind of connection that was tried last.
		if errors.As(a, &pgErr) {
			cause = a
		}
	}
	var opErr *net.OpError
	switch {
	case errors.As(cause, &pgErr):
		cause = pgErr
	case errors.As(cause, &opErr) && opErr.Op == "dial":
		cause = opErr
	}

	out := errors.Wrapf(cause, "connect to %s %s as %s", i.side, i.address(), i.User())
	if others := distinct(attempts); len(others) > 1 {
		out = errors.WithDetail(out, "Attempts: "+strings.Join(others, "; ")+".")
	}
	if pgErr != nil && pgErr.Detail != "" {
		out = errors.WithDetail(out, pgErr.Detail)
	}
	if hint := i.hint(cause); hint != "" {
		out = errors.WithHint(out, hint)
	}
	return out
}

// attemptsOf splits pgx's error into one error per attempt, at least one.
func attemptsOf(err error) []error {
	var joined interface {
		error
		Unwrap() []error
	}
	if errors.As(err, &joined) && len(joined.Unwrap()) > 0 {
		return joined.Unwrap()
	}
	var connectErr *pgconn.ConnectError
	if errors.As(err, &connectErr) {
		err = connectErr.Unwrap()
	}
	return []error{err}
}

func distinct(attempts []error) []string {
	var texts []string
	for _, a := range attempts {
		if text := a.Error(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

func (i *Info) hint(cause error) string {
	var pgErr *pgconn.PgError
	if errors.As(cause, &pgErr) {
		return i.serverHint(pgErr)
	}
	var (
		dnsErr      *net.DNSError
		netErr      net.Error
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		certificate *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(cause, context.Canceled):
		return ""
	case errors.As(cause, &dnsErr):
		return "Check the host name and this machine's name resolution."
	case errors.Is(cause, syscall.ECONNREFUSED):
		return "Check host and port, that the server runs, and that it listens on that address (listen_addresses)."
	case errors.Is(cause, syscall.ENOENT):
		return "No server has its socket in that directory; for a connection by TCP, add host=localhost."
	case errors.As(cause, &authority):
		return "Name the certificate of the service's authority with sslrootcert=FILE, or sslrootcert=system for a public one."
	case errors.As(cause, &hostname):
		return "Connect by a name that the server's certificate holds, or use sslmode=verify-ca."
	case errors.As(cause, &certificate):
		return "Check the server's certificate and sslrootcert."
	case strings.Contains(cause.Error(), "refused TLS"):
		return "The server has no TLS (ssl=off), or a pooler in front of it has not; sslmode=prefer connects without."
	case errors.As(cause, &netErr) && netErr.Timeout():
		return "Check host and port, and that a firewall or the service's list of allowed addresses lets this machine in; connect_timeout=SECONDS waits longer."
	}
	return ""
}

// serverHint reads the SQLSTATE of a server that refused the connection.
func (i *Info) serverHint(e *pgconn.PgError) string {
	switch e.Code {
	case "28P01":
		if i.config.Password == "" {
			return "No password was given: put it into ~/.pgpass, PGPASSWORD or the connection string."
		}
		return "Check user and password; special characters of a password are percent-encoded in a URI."
	case "28000":
		if strings.Contains(e.Message, "no encryption") || strings.Contains(e.Message, "SSL off") {
			return "The server wants TLS (sslmode=require), or its pg_hba.conf has no entry for this user, database and address."
		}
		return "Check that the role exists and may log in, and that pg_hba.conf, or the service's list of allowed addresses, has an entry for this user, database and address."
	case "3D000":
		return "Check the database's name in the connection string."
	case "08P01":
		return "A connection pooler seems to answer here: use the address of the server itself."
	case "42501":
		if strings.Contains(e.Message, "WAL sender") || strings.Contains(e.Message, "walsender") {
			return "The role needs the REPLICATION attribute: ALTER ROLE … REPLICATION, or your service's way, such as GRANT rds_replication TO …."
		}
		return "Grant CONNECT on the database to the role."
	case "53300":
		if strings.Contains(e.Message, "max_wal_senders") {
			return "Raise max_wal_senders on the server, or end a replication connection that is not needed."
		}
		return "Raise max_connections or the role's limit, end connections that are not needed, or use fewer jobs."
	}
	return ""
}
