package engine

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/target"
)

const (
	// handoverWait is how long a cutover waits for the instance at work to drain.
	handoverWait = time.Minute
	// rivalWait is how long a cutover waits for another one, which may be a killed
	// one that the server has not noticed yet.
	rivalWait = 3 * time.Second
	// calm is how long nobody must have run a migration before an instance that had
	// let go of it goes on.
	calm = 3 * time.Second
	// cutoverCommand is what a cutover runs a migration as.
	cutoverCommand = "cutover"
	// undefinedTable is the SQLSTATE for a table that is not there.
	undefinedTable = "42P01"
)

// errEnded says that the migration was ended and forgotten by another instance.
var errEnded = errors.New("the migration is gone from the target: it was cleaned up")

// ended reports that the migration is gone from the target, or was dropped while it was read.
func ended(err error) bool {
	var pgErr *pgconn.PgError
	return errors.IsAny(err, errEnded, errNoMigration) ||
		errors.As(err, &pgErr) && pgErr.Code == undefinedTable && strings.Contains(pgErr.Message, `"walferry.`)
}

// errHandedOver ends an attempt because another instance asks for the migration.
var errHandedOver = errors.New("the migration is handed over to another instance")

// operator is who runs this program, for others to read.
func operator() string {
	name, host := "somebody", "an unknown host"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return fmt.Sprintf("%s@%s (pid %d)", name, host, os.Getpid())
}

// lock takes the migration's lock. A cutover asks the instance at work to let go,
// unless that is a cutover too.
func (e *engine) lock(ctx context.Context) error {
	if e.cut == nil {
		return target.Lock(ctx, e.dst, e.o.Name, lockWait)
	}
	begun, asked := time.Now(), false
	for {
		err := target.Lock(ctx, e.dst, e.o.Name, 0)
		if err == nil || !errors.Is(err, target.ErrLocked) {
			return err
		}
		m, lookup := target.Load(ctx, e.dst, e.o.Name)
		if lookup != nil || m == nil {
			return errors.CombineErrors(err, lookup)
		}
		wait := handoverWait
		if m.RunCommand == cutoverCommand {
			wait = rivalWait
		} else if !asked {
			e.o.Logger.InfoContext(ctx, "asking the instance at work to let go", "command", m.RunCommand, "by", m.RunBy)
			if err := target.AskHandover(ctx, e.dst, e.o.Name, operator()); err != nil {
				return err
			}
			asked = true
		}
		if time.Since(begun) > wait || !pause(ctx) {
			return errors.CombineErrors(context.Cause(ctx), err)
		}
	}
}

// standBy waits, after this instance has let go of the migration, until nobody runs it.
func (e *engine) standBy(ctx context.Context) error {
	ctx, cancel := e.untilStopped(ctx)
	defer cancel()
	conn, err := e.o.Target.Connect(ctx, conninfo.WithPurpose("standby"))
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	begun := time.Now()
	var free time.Time // since when nobody has run it
	for {
		m, err := loadExisting(ctx, conn, e.o.Name)
		if ended(err) {
			return errEnded
		}
		if err != nil {
			return err
		}
		h, err := target.Locked(ctx, conn, e.o.Name)
		switch {
		case err != nil:
			return err
		case m.Phase == target.Done && h == nil:
			return nil
		case h != nil:
			free = time.Time{}
		case free.IsZero():
			free = time.Now()
		case time.Since(free) > calm && (m.Handover == "" || time.Since(begun) > lockWait):
			e.o.Logger.InfoContext(ctx, "going on: nobody else runs the migration")
			return nil
		}
		if !pause(ctx) {
			return context.Cause(ctx)
		}
	}
}
