package snapshot

import (
	"io"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrSnapshotLost means that the exported snapshot cannot be imported: its
// exporter is gone. Tables that are in the ledger stay copied; the rest needs a
// new snapshot.
var ErrSnapshotLost = errors.New("the exported snapshot is gone")

// ErrCopied is what a Ledger's Begin returns for a table that has been copied
// after all: the commit of a run that was killed may come to light only when its
// row lock is waited for. The table is left as it is and the run goes on.
var ErrCopied = errors.New("the table has been copied")

// ErrMoved means that a table was rewritten or dropped since the snapshot, or that
// somebody waits to change it while it is copied in chunks: rows may have moved from one
// chunk to another, or be hidden from the snapshot. It needs a new snapshot, and all of
// its rows again. The other tables have been copied.
var ErrMoved = errors.New("the table has changed on the source since the snapshot")

// errTarget marks what failed on the target: the snapshot may live.
var errTarget = errors.New("the target failed")

// SQLSTATEs that are answered.
const (
	lockNotAvailable = "55P03"
	undefinedTable   = "42P01"
	undefinedColumn  = "42703"
)

// stateOf returns the SQLSTATE of a server's error; "" for any other.
func stateOf(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// onTarget is errors.Wrap for what failed on the target.
func onTarget(err error, message string) error {
	if err == nil {
		return nil
	}
	return errors.Mark(errors.Wrap(err, message), errTarget)
}

// importError marks the ways in which servers say that a snapshot is not there.
func importError(name string, err error) error {
	err = errors.Wrapf(err, "import snapshot %q", name)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		switch pgErr.Code {
		case "22023", // invalid_parameter_value: no such snapshot, up to PostgreSQL 16
			"42704", // undefined_object: no such snapshot
			"55000": // object_not_in_prerequisite_state: its transaction has just ended
			err = errors.WithHint(errors.Mark(err, ErrSnapshotLost),
				"The session that exported the snapshot has ended; run the same command again to copy the rest from a new one.")
		}
	}
	return err
}

// onSide says which end of a pipe an error came from. What the server knows about
// the place, which may hold values of the row, becomes detail.
func onSide(s side, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.Wrap(err, "the server closed the connection")
	}
	wrapped := errors.Wrap(err, string(s))
	if s == targetSide {
		wrapped = errors.Mark(wrapped, errTarget)
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		for _, detail := range []string{pgErr.Detail, pgErr.Where} {
			if detail != "" {
				wrapped = errors.WithDetail(wrapped, detail)
			}
		}
		if pgErr.Hint != "" {
			wrapped = errors.WithHint(wrapped, pgErr.Hint)
		}
		if s == targetSide && (pgErr.Code == undefinedColumn || pgErr.Code == undefinedTable) {
			wrapped = errors.WithHint(wrapped, "The source has it since its schema was moved: make the same change on the target, then run the same command again.")
		}
	}
	return wrapped
}
