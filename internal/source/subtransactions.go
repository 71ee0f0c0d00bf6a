package source

import (
	"context"
	"strconv"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
)

// RolledBack returns which of the given subtransactions were rolled back, for
// [decoder.AssemblerOptions]; all are of a transaction whose commit the source has
// sent. It asks on a connection of its own, since a large transaction with
// subtransactions is rare.
//
// The answer is exact: a rollback is recorded before the transaction commits, and
// what committed never counts as rolled back, at most as still in progress. The slot
// keeps the source from forgetting it, since it holds back the catalogs' freezing.
func RolledBack(ctx context.Context, info *conninfo.Info, subtransactions []uint32) ([]uint32, error) {
	conn, err := info.Connect(ctx, conninfo.WithPurpose("stream"))
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost
	// The stream has the lower half of the ids; the upper is that of the nearest one.
	var next int64
	if err := conn.QueryRow(ctx, `SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint`).Scan(&next); err != nil {
		return nil, errors.Wrap(err, "read the source's next transaction id")
	}
	ids := make([]string, len(subtransactions))
	for i, xid := range subtransactions {
		ids[i] = strconv.FormatInt(next+int64(int32(xid-uint32(next))), 10)
	}
	rows, err := conn.Query(ctx, `SELECT xid::bigint, coalesce(pg_catalog.pg_xact_status(xid::xid8), '')
		FROM unnest($1::text[]) xid WHERE pg_catalog.pg_xact_status(xid::xid8) IS DISTINCT FROM 'committed'`, ids)
	if err != nil {
		return nil, errors.Wrap(err, "read the status of subtransactions")
	}
	var (
		rolledBack []uint32
		xid        int64
		status     string
	)
	_, err = pgx.ForEachRow(rows, []any{&xid, &status}, func() error {
		switch status {
		case "aborted":
			rolledBack = append(rolledBack, uint32(xid))
		case "":
			return errors.Newf("the source has forgotten the status of transaction %d", errors.Safe(xid))
		}
		return nil
	})
	return rolledBack, errors.Wrap(err, "read the status of subtransactions")
}
