package carry

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/snapshot"
)

// ExtensionOptions say whose rows are copied. Source and Target open connections,
// and are needed.
type ExtensionOptions struct {
	Source, Target func(context.Context) (*pgx.Conn, error)
	// Exclude names extensions to leave out.
	Exclude []string
	Logger  *slog.Logger
}

// ExtensionRows copies the rows that users have put into the configuration tables
// of extensions, as the extensions themselves tell them from their own. What the
// target has of such rows is replaced. A table that the target lacks, or has with
// other columns, is named in a warning.
func ExtensionRows(ctx context.Context, o ExtensionOptions) (warnings []string, err error) {
	from, err := extensionTables(ctx, o.Source)
	if err != nil || len(from) == 0 {
		return nil, errors.Wrap(err, "list the source's extensions")
	}
	to, err := extensionTables(ctx, o.Target)
	if err != nil {
		return nil, errors.Wrap(err, "list the target's extensions")
	}
	there := make(map[catalog.Name]*catalog.Table, len(to))
	for i := range to {
		there[to[i].Name] = &to[i]
	}
	var tables []snapshot.Table
	for i := range from {
		f := &from[i]
		if slices.Contains(o.Exclude, f.Extension) {
			continue
		}
		t := snapshot.Table{Namespace: f.Schema, Name: f.Name.Name, Where: condition(f)}
		missing := there[f.Name] == nil
		for _, c := range f.Columns {
			if c.Generated == "" {
				t.Columns = append(t.Columns, c.Name)
				missing = missing || there[f.Name].Column(c.Name) == nil
			}
		}
		if missing {
			warnings = append(warnings, "rows of table "+f.String()+" of extension "+f.Extension+
				" were not copied: the target's version of the extension has no such table or columns")
			continue
		}
		tables = append(tables, t)
	}
	err = snapshot.Run(ctx, snapshot.Options{
		Source: o.Source, Target: o.Target, Ledger: extensionLedger{}, Jobs: 1, Logger: o.Logger,
	}, tables)
	return warnings, errors.Wrap(err, "copy rows of extensions' tables")
}

func extensionTables(ctx context.Context, connect func(context.Context) (*pgx.Conn, error)) ([]catalog.Table, error) {
	conn, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	tables, err := catalog.ExtensionTables(ctx, conn)
	return tables, errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx)))
}

// condition is an extension's WHERE clause without the word.
func condition(t *catalog.Table) string {
	text := strings.TrimSpace(t.Condition)
	if len(text) > 5 && strings.EqualFold(text[:5], "where") {
		text = strings.TrimSpace(text[5:])
	}
	return text
}

// extensionLedger takes the user's rows off the target before they are copied.
type extensionLedger struct{}

// Begin implements [snapshot.Ledger].
func (extensionLedger) Begin(ctx context.Context, conn *pgx.Conn, t *snapshot.Table) error {
	sql := "DELETE FROM ONLY " + catalog.Name{Schema: t.Namespace, Name: t.Name}.Quoted()
	if t.Where != "" {
		sql += " WHERE " + t.Where
	}
	_, err := conn.Exec(ctx, sql)
	return errors.Wrapf(err, "empty %s on the target", t)
}

// Done implements [snapshot.Ledger].
func (extensionLedger) Done(context.Context, *pgx.Conn, *snapshot.Table, snapshot.Result) error {
	return nil
}
