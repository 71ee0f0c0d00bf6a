package source

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// The first look is early enough to explain a pause that a user notices.
const (
	firstLook = time.Second
	nextLooks = 10 * time.Second
)

// watchCreation logs who the creation of a slot waits for, until done is closed
// or ctx ends. It only informs, so it gives up on the first error.
func (c *Conn) watchCreation(ctx context.Context, slot string, done <-chan struct{}) {
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
		}
	}()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		var err error
		if conn == nil {
			conn, err = c.info.Connect(ctx)
		}
		if err == nil {
			err = c.logBlockers(ctx, conn, slot)
		}
		if err != nil {
			c.logger.DebugContext(ctx, "cannot tell which transactions the slot waits for", slog.String("slot", slot), slog.Any("error", err))
			select {
			case <-done:
			case <-ctx.Done():
			}
			return
		}
		timer.Reset(nextLooks)
	}
}

func (c *Conn) logBlockers(ctx context.Context, conn *pgx.Conn, slot string) error {
	var (
		pids   []int32
		oldest int64
	)
	const query = `SELECT b.pids, coalesce(extract(epoch FROM (SELECT max(now() - a.xact_start)
			FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (b.pids)))::bigint, 0)
		FROM pg_catalog.pg_blocking_pids($1) AS b(pids)`
	if err := conn.QueryRow(ctx, query, int32(c.conn.PID())).Scan(&pids, &oldest); err != nil { //nolint:gosec // a process number
		return err
	}
	if len(pids) == 0 {
		return nil
	}
	attrs := []any{slog.String("slot", slot), slog.Any("pids", pids), slog.Int64("xact_age_seconds", oldest)}
	if slices.Contains(pids, 0) {
		attrs = append(attrs, slog.String("reason", "a prepared transaction (pg_prepared_xacts)"))
	}
	c.logger.WarnContext(ctx, "slot creation waits for running transactions", attrs...)
	return nil
}
