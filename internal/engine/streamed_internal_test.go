package engine

import (
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestFailsToStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message string
		want          bool
	}{
		{"XX000", `could not map filenumber "base/16384/16402" to relation OID`, true},
		{"XX000", `could not map filenode "base/16384/16402" to relation OID`, true}, // before 16
		{"XX000", "cache lookup failed for relation 16402", false},
		{"55000", "could not map filenumber", false},
	} {
		err := errors.Wrap(&pgconn.PgError{Code: c.code, Message: c.message}, "stream the slot")
		if got := failsToStream(err); got != c.want {
			t.Errorf("%s %s: %t", c.code, c.message, got)
		}
	}
}
