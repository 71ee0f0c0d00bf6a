package target

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/schema"
)

// Bounds of a group of entries: it holds the locks of all that it makes, some five for a
// table, and a server has room for 64 for each of its connections; and it is sent as one text.
const (
	maxGroup      = 100
	maxGroupBytes = 256 << 10
)

// groupLen is how many of the entries, at least one and at most size, run as one group.
func groupLen(entries []Entry, size int) int {
	n, bytes := 0, 0
	for n < min(size, len(entries)) {
		e := &entries[n]
		if bytes += len(e.SQL) + len(e.OwnerSQL); n > 0 && (bytes > maxGroupBytes || readsRows(e)) {
			break
		}
		if n++; readsRows(e) {
			break
		}
	}
	return n
}

// readsRows says that an entry may take long, or many locks: a view that is filled, a foreign key
// of a partitioned table, which is validated with all partitions at once.
func readsRows(e *Entry) bool {
	return e.Kind == "MATERIALIZED VIEW DATA" || e.Kind == "FK CONSTRAINT" && !strings.HasPrefix(e.SQL, "ALTER TABLE ONLY ")
}

// group runs entries in one transaction, in as few round trips as one takes. When any of
// them is refused, tolerated or not, all are undone and run one by one: up to the one
// that fails, whose error is returned, all are recorded. It reports whether one of
// them was refused.
func (r *Restorer) group(ctx context.Context, conn *pgx.Conn, entries []Entry) (refused bool, err error) {
	if len(entries) > 1 {
		err := r.together(ctx, conn, entries)
		if err == nil || ctx.Err() != nil || conn.IsClosed() {
			return false, err
		}
		refused = true
	}
	for _, e := range entries {
		warned, err := r.one(ctx, conn, e)
		if err != nil {
			return true, err
		}
		refused = refused || warned
	}
	return refused, nil
}

func (r *Restorer) together(ctx context.Context, conn *pgx.Conn, entries []Entry) error {
	stage := string(entries[0].Stage)
	plain, ords := make([]schema.Entry, len(entries)), make([]int32, len(entries))
	for i, e := range entries {
		plain[i], ords[i] = e.Entry, e.Ord
		plain[i].SQL = schema.Unvalidated(e.Entry)
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := schema.ApplyAll(ctx, tx, plain); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE walferry.entry SET state = $3 WHERE migration = $1 AND ord = ANY ($2)`,
			r.Migration, ords, EntryDone)
		failpoint.Hit("schema " + stage + ": before commit")
		return errors.Wrap(err, "record entries of the schema on the target")
	})
	if err == nil {
		failpoint.Hit("schema " + stage + ": committed")
	}
	return err
}
