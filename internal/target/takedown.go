package target

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/schema"
)

//go:embed takedown.sql
var takeDownSQL string

// TakeDownObjects removes what would act on the rows applied to tables (by oid,
// partitions included) or stand in their way, in one transaction with the
// entries that restore it in the stage Finish: identity columns stop being
// GENERATED ALWAYS, and on the rung TakeDown foreign keys are dropped and
// triggers and rules disabled. What is down already is left alone, so it may be
// called before every run.
func TakeDownObjects(ctx context.Context, conn *pgx.Conn, migration string, rung Rung, tables []uint32) error {
	type object struct{ Kind, Namespace, Name, Down, Restore string }
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, takeDownSQL, tables, rung == TakeDown)
		if err != nil {
			return err
		}
		objects, err := pgx.CollectRows(rows, pgx.RowToStructByPos[object])
		if err != nil || len(objects) == 0 {
			return err
		}
		entries := make([]schema.Entry, len(objects))
		for i, o := range objects {
			if _, err := tx.Exec(ctx, o.Down); err != nil {
				err = errors.Wrapf(err, "take down %s %s.%s", o.Kind, o.Namespace, o.Name)
				err = errors.WithDetailf(err, "statement: %s", o.Down)
				return errors.WithHint(err, "let walferry connect to the target as the owner of its tables, "+
					"or as a role that may set session_replication_role")
			}
			// Restored in reverse: a foreign key comes last.
			entries[len(objects)-1-i] = schema.Entry{
				Stage: schema.Finish, Kind: o.Kind,
				Schema: o.Namespace, Name: o.Name, SQL: o.Restore,
			}
		}
		if err := insertEntries(ctx, tx, migration, entries); err != nil {
			return err
		}
		failpoint.Hit("schema: before what acts on rows is taken down")
		return nil
	})
	return errors.Wrap(err, "prepare the target's tables for applying")
}
