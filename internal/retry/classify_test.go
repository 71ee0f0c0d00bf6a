package retry_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/retry"
)

func state(code string) error {
	return errors.Wrap(&pgconn.PgError{Severity: "ERROR", Code: code}, "apply")
}

func dial(e syscall.Errno) error {
	return errors.Wrap(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", e)}, "connect to target")
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":                     {nil, false},
		"unknown":                     {errors.New("x"), false},
		"connection failure":          {state("08006"), true},
		"pooler refuses a parameter":  {state("08P01"), false},
		"deadlock":                    {state("40P01"), true},
		"serialization failure":       {state("40001"), true},
		"lock timeout":                {state("55P03"), true},
		"shutdown":                    {state("57P01"), true},
		"starting up":                 {state("57P03"), true},
		"database dropped":            {state("57P04"), false},
		"query cancelled":             {state("57014"), false},
		"disk full":                   {state("53100"), true},
		"too many connections":        {state("53300"), true},
		"no free slot":                {state("53400"), false},
		"object in use":               {state("55006"), false},
		"object in use, marked":       {errors.Mark(state("55006"), retry.ErrTransient), true},
		"password":                    {state("28P01"), false},
		"no such database":            {state("3D000"), false},
		"unique violation":            {state("23505"), false},
		"no such table":               {state("42P01"), false},
		"answer beats the lost line":  {errors.CombineErrors(state("23505"), io.EOF), false},
		"empty state":                 {state(""), false},
		"end of file":                 {errors.Wrap(io.ErrUnexpectedEOF, "read"), true},
		"closed connection":           {errors.Wrap(pgconn.ErrConnClosed, "read"), true},
		"refused":                     {dial(syscall.ECONNREFUSED), true},
		"reset":                       {dial(syscall.ECONNRESET), true},
		"socket not there yet":        {dial(syscall.ENOENT), true},
		"socket forbidden":            {dial(syscall.EACCES), false},
		"read timed out":              {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, true},
		"connecting took too long":    {errors.Wrap(context.DeadlineExceeded, "connect"), true},
		"cancelled":                   {errors.Wrap(context.Canceled, "connect"), false},
		"no such host":                {&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, false},
		"name server is busy":         {&net.DNSError{IsTemporary: true}, true},
		"certificate refused by peer": {&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, false},
		"file not found":              {&os.PathError{Op: "open", Err: syscall.ENOENT}, false},
	} {
		if got := retry.Retryable(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
