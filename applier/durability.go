package applier

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/decoder"
)

// durability follows which commits a crash of the target cannot undo. With
// synchronous_commit off a commit does not wait for the disk, and counts as durable
// once the target's own write-ahead log is flushed past it.
type durability struct {
	// asynchronous reports that commits need not wait.
	asynchronous bool
	// synchronous is the value of synchronous_commit that waits.
	synchronous string
	// waiting are commits that may not be durable, oldest first.
	waiting []commitPoint
	durable decoder.LSN
}

// commitPoint says that the source up to end is durable when the target's log is
// flushed up to position.
type commitPoint struct {
	end, position decoder.LSN
}

// flushedSQL asks for positions of the target's own log.
const flushedSQL = `SELECT pg_catalog.pg_current_wal_insert_lsn()::text, pg_catalog.pg_current_wal_flush_lsn()::text`

// open turns waiting at commit off, where the target tells how far it has flushed.
func (d *durability) open(ctx context.Context, conn *pgx.Conn) error {
	if err := conn.QueryRow(ctx, `SELECT pg_catalog.current_setting('synchronous_commit')`).Scan(&d.synchronous); err != nil {
		return errors.Wrap(err, "read synchronous_commit on the target")
	}
	if d.synchronous == "off" {
		d.synchronous = "on"
	}
	var inserted, flushed string
	value := "off"
	if err := conn.QueryRow(ctx, flushedSQL).Scan(&inserted, &flushed); err != nil {
		// Some services do not show these positions: every commit waits there.
		if sqlState(err) == "" {
			return errors.Wrap(err, "read the position of the target's log")
		}
		value = d.synchronous
	}
	d.asynchronous = value == "off"
	_, err := conn.Exec(ctx, "SET synchronous_commit = "+value)
	return errors.Wrap(err, "set synchronous_commit on the target")
}

// commit queues the end of the transaction that contains the source up to end. When
// wait is false it may not be durable yet.
func (d *durability) commit(batch *pgx.Batch, end decoder.LSN, wait bool) {
	if d.asynchronous && wait {
		batch.Queue("SET LOCAL synchronous_commit = " + d.synchronous)
	}
	batch.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() == "ROLLBACK" {
			return errors.New("the target answered COMMIT with ROLLBACK")
		}
		if !d.asynchronous || wait {
			// What was committed before is flushed with it.
			d.waiting, d.durable = d.waiting[:0], end
		}
		return nil
	})
	if !d.asynchronous || wait {
		return
	}
	batch.Queue(flushedSQL).QueryRow(func(row pgx.Row) error {
		inserted, flushed, err := positions(row)
		if err != nil {
			return err
		}
		d.waiting = append(d.waiting, commitPoint{end: end, position: inserted})
		d.flushed(flushed)
		return nil
	})
}

// positions reads the answer to flushedSQL.
func positions(row pgx.Row) (inserted, flushed decoder.LSN, err error) {
	err = row.Scan(&inserted, &flushed)
	return inserted, flushed, errors.Wrap(err, "read the position of the target's log")
}

// poll asks how far the target has flushed.
func (d *durability) poll(ctx context.Context, conn *pgx.Conn) error {
	if len(d.waiting) == 0 {
		return nil
	}
	_, flushed, err := positions(conn.QueryRow(ctx, flushedSQL))
	if err != nil {
		return err
	}
	d.flushed(flushed)
	return nil
}

// flushed takes the commits up to a position of the target's log for durable.
func (d *durability) flushed(position decoder.LSN) {
	n := 0
	for n < len(d.waiting) && d.waiting[n].position <= position {
		d.durable = d.waiting[n].end
		n++
	}
	d.waiting = append(d.waiting[:0], d.waiting[n:]...)
}
