package target

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/schema"
)

// EntryState is how far one schema entry has come.
type EntryState string

// The states of an entry. A warning is an entry that was not, or not wholly,
// restored for a reason that does not stop a migration.
const (
	EntryPending EntryState = "pending"
	EntryDone    EntryState = "done"
	EntryWarning EntryState = "warning"
	// EntryLeftOut is what of the source's schema is never moved.
	EntryLeftOut EntryState = "left out"
)

// Warning is an entry of the schema that was left out, and why.
type Warning struct {
	Kind, Object, Message string
}

// Entry is a schema entry with its place in the restore order.
type Entry struct {
	schema.Entry

	Ord int32
}

// AddEntries records the source's schema, once and in whole: its entries as
// pending, and what is left out with the reason.
func AddEntries(ctx context.Context, conn *pgx.Conn, migration string, entries []schema.Entry, leftOut []schema.LeftOut) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := insertEntries(ctx, tx, migration, entries); err != nil {
			return err
		}
		columns := []string{"migration", "ord", "id", "stage", "kind", "namespace", "name", "owner", "sql", "owner_sql", "dependencies", "state", "message"}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"walferry", "entry"}, columns, pgx.CopyFromSlice(len(leftOut), func(i int) ([]any, error) {
			l := leftOut[i]
			ord := -int32(i) - 1 // apart from the entries' order
			return []any{migration, ord, 0, "", l.Kind, l.Schema, l.Name, "", "", "", []int32{}, string(EntryLeftOut), l.Reason}, nil
		}))
		return err
	})
	return errors.Wrap(err, "record the schema's entries on the target")
}

func insertEntries(ctx context.Context, tx pgx.Tx, migration string, entries []schema.Entry) error {
	var ord int32
	err := tx.QueryRow(ctx, `SELECT coalesce(max(ord), 0) FROM walferry.entry WHERE migration = $1`, migration).Scan(&ord)
	if err != nil {
		return err
	}
	columns := []string{"migration", "ord", "id", "stage", "kind", "namespace", "name", "owner", "sql", "owner_sql", "dependencies"}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"walferry", "entry"}, columns, pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) {
		e := entries[i]
		dependencies := e.Dependencies
		if dependencies == nil {
			dependencies = []int32{}
		}
		return []any{migration, ord + int32(i) + 1, e.ID, string(e.Stage), e.Kind, e.Schema, e.Name, e.Owner, e.SQL, e.OwnerSQL, dependencies}, nil
	}))
	return err
}

// HasEntries reports whether the schema of the migration has been recorded.
func HasEntries(ctx context.Context, conn *pgx.Conn, migration string) (bool, error) {
	var has bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM walferry.entry WHERE migration = $1)`, migration).Scan(&has)
	return has, errors.Wrap(err, "read the schema's entries on the target")
}

// PendingEntries reads the entries of a stage that have not been run, in order.
func PendingEntries(ctx context.Context, conn *pgx.Conn, migration string, stage schema.Stage) ([]Entry, error) {
	rows, err := conn.Query(ctx, `
		SELECT ord, id, stage, kind, namespace, name, owner, sql, owner_sql, dependencies
		FROM walferry.entry WHERE migration = $1 AND stage = $2 AND state = 'pending' ORDER BY ord`, migration, string(stage))
	if err != nil {
		return nil, errors.Wrap(err, "read the schema's entries on the target")
	}
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
		var stage string
		err = row.Scan(&e.Ord, &e.ID, &stage, &e.Kind, &e.Schema, &e.Name, &e.Owner, &e.SQL, &e.OwnerSQL, &e.Dependencies)
		e.Stage = schema.Stage(stage)
		return e, err
	})
	return entries, errors.Wrap(err, "read the schema's entries on the target")
}

// CountPending counts the entries of a stage that have not been run.
func CountPending(ctx context.Context, conn *pgx.Conn, migration string, stage schema.Stage) (n int, err error) {
	err = conn.QueryRow(ctx, `SELECT pg_catalog.count(*) FROM walferry.entry WHERE migration = $1 AND stage = $2 AND state = 'pending'`,
		migration, string(stage)).Scan(&n)
	return n, errors.Wrap(err, "read the schema's entries on the target")
}

// Warnings lists what of the schema was not, or not wholly, restored.
func Warnings(ctx context.Context, conn *pgx.Conn, migration string) ([]Warning, error) {
	rows, err := conn.Query(ctx, `
		SELECT kind, CASE namespace WHEN '' THEN name ELSE namespace || '.' || name END, message
		FROM walferry.entry WHERE migration = $1 AND state IN ('warning', 'left out') ORDER BY ord`, migration)
	if err != nil {
		return nil, errors.Wrap(err, "read the schema's entries on the target")
	}
	warnings, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Warning])
	return warnings, errors.Wrap(err, "read the schema's entries on the target")
}

// EntryName names what an entry is for, as pg_dump does.
type EntryName struct{ Namespace, Name string }

// EntryNote is what there is to say of an object that the target lacks.
type EntryNote struct {
	// Pending says that it is held back, or taken down, until the cutover.
	Pending bool
	// Message says why it was left out.
	Message string
}

// EntryNotes reads what of the schema has not come to the target, or was taken down there.
func EntryNotes(ctx context.Context, conn *pgx.Conn, migration string) (map[EntryName]EntryNote, error) {
	rows, err := conn.Query(ctx, `
		SELECT namespace, name, state = 'pending', message FROM walferry.entry WHERE migration = $1 AND state <> 'done'`, migration)
	if err != nil {
		return nil, errors.Wrap(err, "read the schema's entries on the target")
	}
	notes := map[EntryName]EntryNote{}
	var name EntryName
	var note EntryNote
	_, err = pgx.ForEachRow(rows, []any{&name.Namespace, &name.Name, &note.Pending, &note.Message}, func() error {
		note.Pending = note.Pending || notes[name].Pending
		notes[name] = note
		return nil
	})
	return notes, errors.Wrap(err, "read the schema's entries on the target")
}
