package source

import (
	"context"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/retry"
)

var (
	// ErrSlotActive means that another session uses the slot. After a crash of the
	// previous run that ends by itself, so it is retryable.
	ErrSlotActive = errors.New("replication slot is active")
	// ErrSlotMissing means that the slot does not exist.
	ErrSlotMissing = errors.New("replication slot does not exist")
	// ErrSlotExists means that a slot of that name is there already.
	ErrSlotExists = errors.New("replication slot exists")
	// ErrSlotLost means that the source has removed WAL or rows that the slot still
	// needed: only a new snapshot helps.
	ErrSlotLost = errors.New("replication slot is lost")
)

// slotError adds what an operator can do about a server's answer to a slot's
// command, and marks what a caller handles.
func (c *Conn) slotError(ctx context.Context, err error, slot string) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	if e.Detail != "" {
		err = errors.WithDetail(err, e.Detail)
	}
	switch e.Code {
	case "42501":
		return errors.WithHint(err, "The role needs the REPLICATION attribute: ALTER ROLE … REPLICATION, or your service's way, such as GRANT rds_replication TO ….")
	case "42704":
		if c.missing(ctx, slot) {
			return errors.Mark(err, ErrSlotMissing)
		}
	case "42710":
		return errors.Mark(err, ErrSlotExists)
	case "53400":
		return errors.WithHint(err, "Raise max_replication_slots on the source, or drop a slot that is not needed (SELECT * FROM pg_replication_slots WHERE NOT active).")
	case "55006":
		err = errors.WithHint(err, "If no other walferry uses the slot, the session of a broken run ends by itself within wal_sender_timeout, or by pg_terminate_backend(active_pid).")
		return errors.Mark(errors.Mark(err, ErrSlotActive), retry.ErrTransient)
	case "55000", "58P01":
		return c.prerequisite(ctx, err, slot)
	case "XX000":
		if strings.HasPrefix(e.Message, "could not map file") {
			return errors.WithHint(err, "The slot does not know of an ALTER or TRUNCATE of the table: it ran while the slot was made, or in a savepoint that was rolled back, "+
				"with --streaming on. Without that option, only a new slot helps: run walferry cleanup and migrate anew, or make another slot while nothing is altered.")
		}
	}
	return err
}

// prerequisite tells the cases of "object not in prerequisite state" apart. The
// messages differ by version and language, so the catalog is asked.
func (c *Conn) prerequisite(ctx context.Context, err error, slot string) error {
	state, readErr := c.slotState(ctx, slot)
	if readErr == nil && state.Lost() {
		err = errors.WithDetailf(err, "wal_status of the slot is %q, invalidation reason %q.", state.WALStatus, state.InvalidationReason)
		err = errors.WithHint(err, "Raise max_slot_wal_keep_size on the source (or idle_replication_slot_timeout), drop the slot, and start again with a new snapshot.")
		return errors.Mark(err, ErrSlotLost)
	}
	if level, levelErr := c.walLevel(ctx); levelErr == nil && level != "logical" {
		return errors.WithHint(errors.WithDetailf(err, "wal_level of the source is %s.", level),
			"Set wal_level = logical on the source and restart it; managed services have a switch for it.")
	}
	return err
}

func (c *Conn) missing(ctx context.Context, slot string) bool {
	_, err := c.slotState(ctx, slot)
	return errors.Is(err, ErrSlotMissing)
}

// slotState reads the slot on a connection of its own: the one that gave an
// error may be gone.
func (c *Conn) slotState(ctx context.Context, slot string) (SlotState, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnosis)
	defer cancel()
	conn, err := c.info.Connect(ctx)
	if err != nil {
		return SlotState{}, err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	return ReadSlot(ctx, conn, slot)
}

func (c *Conn) walLevel(ctx context.Context) (level string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnosis)
	defer cancel()
	conn, err := c.info.Connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	err = conn.QueryRow(ctx, "SELECT pg_catalog.current_setting('wal_level')").Scan(&level)
	return level, err
}

// diagnosis bounds the questions that only make an error clearer.
const diagnosis = 5 * time.Second
