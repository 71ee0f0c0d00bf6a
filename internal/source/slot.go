package source

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"golang.org/x/sync/errgroup"
)

// SlotOptions say what kind of slot to create.
type SlotOptions struct {
	// Temporary slots end with the connection.
	Temporary bool
	// Export keeps a snapshot of the consistent point until the connection's next
	// command or end.
	Export bool
	// TwoPhase decodes transactions at PREPARE. Sources from 15.
	TwoPhase bool
	// Failover lets standbys keep a copy of the slot. Sources from 17.
	Failover bool
}

// Slot is a slot that was just created.
type Slot struct {
	Name string
	// ConsistentPoint is where streaming starts: the snapshot shows exactly the
	// transactions that committed before it.
	ConsistentPoint LSN
	// SnapshotName is for SET TRANSACTION SNAPSHOT; empty without Export.
	SnapshotName string
}

// CreateSlot creates a logical slot for pgoutput. It waits until every transaction
// that runs on the source at its start has ended, and logs which those are. When
// ctx ends meanwhile the creation is cancelled and leaves no slot, unless the
// source cannot be reached any more.
func (c *Conn) CreateSlot(ctx context.Context, name string, o SlotOptions) (Slot, error) {
	command, err := createCommand(c.major, name, o)
	if err != nil {
		return Slot{}, errors.Wrapf(err, "create replication slot %q", name)
	}

	// A connection that is merely closed leaves the server waiting, and then with a
	// slot that nobody knows of. So the command runs to its end, cancelled if need be.
	execCtx, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	done := make(chan struct{})
	var watch errgroup.Group
	watch.Go(func() error {
		c.watchCreation(ctx, name, done)
		if ctx.Err() != nil {
			c.cancelCommand(execCtx, done)
			abandon()
		}
		return nil
	})
	row, err := c.queryRow(execCtx, command)
	close(done)
	_ = watch.Wait() // it returns nil
	if err != nil {
		if ctx.Err() != nil {
			err = errors.WithSecondaryError(context.Cause(ctx), err)
		} else {
			err = c.slotError(ctx, err, name)
		}
		return Slot{}, errors.Wrapf(err, "create replication slot %q", name)
	}
	if len(row) < 3 {
		return Slot{}, errors.Newf("create replication slot %q: %d columns", name, errors.Safe(len(row)))
	}
	point, err := pglogrepl.ParseLSN(row[1])
	if err != nil {
		return Slot{}, errors.Wrapf(err, "create replication slot %q: consistent point", name)
	}
	return Slot{Name: row[0], ConsistentPoint: point, SnapshotName: row[2]}, nil
}

// createCommand is CREATE_REPLICATION_SLOT in the syntax of the server.
func createCommand(major int, name string, o SlotOptions) (string, error) {
	switch {
	case o.TwoPhase && major < 15:
		return "", errors.Newf("two-phase slots need PostgreSQL 15, the source has %d", errors.Safe(major))
	case o.Failover && major < 17:
		return "", errors.Newf("failover slots need PostgreSQL 17, the source has %d", errors.Safe(major))
	}
	var b strings.Builder
	b.WriteString("CREATE_REPLICATION_SLOT " + quoteName(name))
	if o.Temporary {
		b.WriteString(" TEMPORARY")
	}
	b.WriteString(" LOGICAL pgoutput ")
	if major < 15 {
		if o.Export {
			b.WriteString("EXPORT_SNAPSHOT")
		} else {
			b.WriteString("NOEXPORT_SNAPSHOT")
		}
		return b.String(), nil
	}
	snapshot := "nothing"
	if o.Export {
		snapshot = "export"
	}
	fmt.Fprintf(&b, "(SNAPSHOT '%s'", snapshot)
	if o.TwoPhase {
		b.WriteString(", TWO_PHASE true")
	}
	if o.Failover {
		b.WriteString(", FAILOVER true")
	}
	b.WriteString(")")
	return b.String(), nil
}

// cancelCommand asks the server to end the running command and gives it time to.
func (c *Conn) cancelCommand(ctx context.Context, done <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, diagnosis)
	defer cancel()
	select {
	case <-done:
		return
	default:
	}
	if err := c.conn.CancelRequest(ctx); err != nil {
		return
	}
	timer := time.NewTimer(diagnosis)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// quoteName quotes an identifier of the replication grammar.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
