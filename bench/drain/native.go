package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/bench/internal/measure"
	"github.com/walferry/walferry/bench/internal/report"
)

const subscription = "bench"

// drainNative lets a subscription apply the backlog: from its ENABLE until the
// slot says that all is durable on the target.
func drainNative(ctx context.Context, s *scene, slot string) (report.Sample, error) {
	return s.runNative(ctx, slot, s.b.Source.URI(sourceDatabase))
}

// drainNativeDelayed is drainNative over a link to the source that is delayed as asked for.
func drainNativeDelayed(ctx context.Context, s *scene, slot string) (report.Sample, error) {
	return s.overDelayedLinks(ctx, func(ctx context.Context, source, _ string) (report.Sample, error) {
		return s.runNative(ctx, slot, source)
	})
}

func (s *scene) runNative(ctx context.Context, slot, source string) (sample report.Sample, err error) {
	conn, drop, err := s.subscribe(ctx, slot, source)
	if err != nil {
		return sample, err
	}
	defer func() { err = errors.CombineErrors(err, drop(ctx)) }()
	start := time.Now()
	if _, err := conn.Exec(ctx, "ALTER SUBSCRIPTION "+subscription+" ENABLE"); err != nil {
		return sample, errors.Wrap(err, "enable the subscription")
	}
	watched := time.Now()
	err = measure.Poll(ctx, func() (bool, error) {
		if time.Since(watched) > time.Second {
			watched = time.Now()
			if err := s.subscriptionError(ctx, conn); err != nil {
				return false, err
			}
		}
		return measure.Scan[bool](ctx, s.source, "SELECT confirmed_flush_lsn >= $2::pg_lsn FROM pg_replication_slots WHERE slot_name = $1", slot, s.end)
	})
	sample.Seconds = time.Since(start).Seconds()
	return sample, errors.Wrap(err, "wait for the subscription")
}

// subscribe creates a subscription to source that does nothing yet. The returned
// function drops it and keeps the slot.
func (s *scene) subscribe(ctx context.Context, slot, source string) (*pgx.Conn, func(context.Context) error, error) {
	conn, err := measure.Connect(ctx, s.b.Target.URI(drainDatabase))
	if err != nil {
		return nil, nil, err
	}
	options := fmt.Sprintf("copy_data = false, create_slot = false, enabled = false, slot_name = '%s'", slot)
	if s.b.o.native != "" {
		options += ", " + s.b.o.native
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION %s WITH (%s)",
		subscription, source, publication, options))
	if err != nil {
		return nil, nil, errors.CombineErrors(errors.Wrap(err, "create the subscription"), conn.Close(ctx))
	}
	return conn, func(ctx context.Context) error {
		ctx = context.WithoutCancel(ctx)
		var err error
		for _, sql := range []string{"ALTER SUBSCRIPTION %s DISABLE", "ALTER SUBSCRIPTION %s SET (slot_name = NONE)", "DROP SUBSCRIPTION %s"} {
			_, execErr := conn.Exec(ctx, fmt.Sprintf(sql, subscription))
			err = errors.CombineErrors(err, errors.Wrap(execErr, "drop the subscription"))
		}
		return errors.CombineErrors(err, conn.Close(ctx))
	}, nil
}

// subscriptionError tells an apply worker's error, after which it would begin
// again for ever. Servers before 15 do not count them.
func (s *scene) subscriptionError(ctx context.Context, conn *pgx.Conn) error {
	if s.b.Target.Major() < 15 {
		return nil
	}
	count, err := measure.Scan[int64](ctx, conn, "SELECT coalesce(sum(apply_error_count), 0)::bigint FROM pg_stat_subscription_stats WHERE subname = $1", subscription)
	if err != nil || count == 0 {
		return err
	}
	return errors.WithDetail(errors.New("the subscription's worker failed"), s.b.Target.LogTail(5))
}
