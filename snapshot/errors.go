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
	}
	return wrapped
}
