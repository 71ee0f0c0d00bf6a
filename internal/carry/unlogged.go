package carry

import (
	"context"
	"log/slog"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/snapshot"
)

// ErrNotEmpty marks a table of the target that holds rows which are not the migration's.
var ErrNotEmpty = errors.New("the table on the target holds rows already")

// UnloggedOptions say which unlogged tables are copied. Source, Target and
// Migration are needed.
type UnloggedOptions struct {
	// Source and Target open connections; Target's must keep triggers and foreign
	// keys from acting.
	Source, Target func(context.Context) (*pgx.Conn, error)
	Migration      string
	Tables         []catalog.Name
	// Overwrite empties tables that hold rows which are not the migration's, Append
	// keeps them. Default: that is an error, marked as ErrNotEmpty.
	Overwrite, Append bool
	Jobs              int
	Progress          func(snapshot.Progress)
	Logger            *slog.Logger
}

// UnloggedTables copies the rows of unlogged tables, all from one snapshot of the
// present, and records each in the ledger with its rows. What an earlier call
// copied is replaced.
func UnloggedTables(ctx context.Context, o UnloggedOptions) error {
	tables := make([]snapshot.Table, len(o.Tables))
	for i, t := range o.Tables {
		tables[i] = snapshot.Table{Namespace: t.Schema, Name: t.Name}
	}
	err := snapshot.Run(ctx, snapshot.Options{
		Source: o.Source, Target: o.Target, Ledger: unloggedLedger{o}, Jobs: o.Jobs,
		Progress: o.Progress, Logger: o.Logger,
	}, tables)
	return errors.Wrap(err, "copy unlogged tables")
}

// unloggedLedger empties a table before it is copied.
type unloggedLedger struct{ UnloggedOptions }

// Begin implements [snapshot.Ledger].
func (l unloggedLedger) Begin(ctx context.Context, conn *pgx.Conn, t *snapshot.Table) error {
	copied, err := target.LockTable(ctx, conn, l.Migration, t.Namespace, t.Name)
	if err != nil {
		return err
	}
	from := "ONLY " + sqltext.Ident(t.Namespace, t.Name)
	if !copied && l.Append {
		return nil
	}
	if !copied && !l.Overwrite {
		var holds bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+from+")").Scan(&holds); err != nil || !holds {
			return err
		}
		err := errors.Newf("table %s on the target holds rows already", t)
		err = errors.WithHint(err, "empty it, or say what to do with --if-not-empty append or truncate")
		return errors.Mark(err, ErrNotEmpty)
	}
	// TRUNCATE would refuse a table that a foreign key points to.
	_, err = conn.Exec(ctx, "DELETE FROM "+from)
	return errors.Wrapf(err, "empty %s on the target", t)
}

// Done implements [snapshot.Ledger].
func (l unloggedLedger) Done(ctx context.Context, conn *pgx.Conn, t *snapshot.Table, r snapshot.Result) error {
	return target.CopiedUnlogged(ctx, conn, l.Migration, target.Table{
		Namespace: t.Namespace, Name: t.Name, Rows: r.Rows, Bytes: r.Bytes, Seconds: r.Elapsed.Seconds(),
	})
}
