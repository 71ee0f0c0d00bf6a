package cutover

import (
	"context"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/sqltext"
)

// lateSQL counts the transactions that the slot holds, changed rows, and committed
// behind $2. A message's first byte is its kind; that of the commit stands at the end of the
// commit's record, which $2 may be exactly. The slot is not moved.
const lateSQL = `SELECT pg_catalog.count(*) FROM (
	SELECT m.xid FROM pg_catalog.pg_logical_slot_peek_binary_changes($1, NULL, NULL,
		'proto_version', '1', 'publication_names', $3) m
	GROUP BY m.xid
	HAVING pg_catalog.max(m.lsn) > $2::text::pg_lsn AND pg_catalog.bool_or(pg_catalog.get_byte(m.data, 0) = ANY ($4::int[]))) late`

// Late counts the transactions that changed published rows on the source and committed
// behind lsn: what the slot holds, which nobody may be reading.
func (s Sides) Late(ctx context.Context, slot string, publications []string, lsn pglogrepl.LSN) (n int64, err error) {
	names := make([]string, len(publications))
	for i, p := range publications {
		names[i] = sqltext.Ident(p)
	}
	kinds := []int32{'I', 'U', 'D', 'T'}
	for {
		err = s.Source.QueryRow(ctx, lateSQL, slot, lsn.String(), strings.Join(names, ","), kinds).Scan(&n)
		// The walsender that has just ended may hold the slot for a moment.
		if !inUse(err) || !pause(ctx, 25*time.Millisecond) {
			return n, errors.Wrapf(err, "look for late changes in slot %q of the source", slot)
		}
	}
}

// NextXID is the next transaction ID of the source: who writes takes one.
func (s Sides) NextXID(ctx context.Context) (xid int64, err error) {
	err = s.Source.QueryRow(ctx, `SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint`).Scan(&xid)
	return xid, errors.Wrap(err, "read the source's next transaction ID")
}

func inUse(err error) bool {
	var pgErr interface{ SQLState() string }
	return errors.As(err, &pgErr) && pgErr.SQLState() == "55006"
}

// Emit writes a message into the source's WAL, so that a walsender passes the
// position before it even when nothing else is written.
func Emit(ctx context.Context, src *pgx.Conn) error {
	_, err := src.Exec(ctx, `SELECT pg_catalog.pg_logical_emit_message(true, 'walferry', 'drain')`)
	return errors.Wrap(err, "write a message into the source's WAL")
}
