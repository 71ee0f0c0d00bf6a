package carry

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/catalog"
)

//go:embed views.sql
var viewsSQL string

// RefreshViews refreshes the target's materialized views that are filled on the
// source, in the order of their dependencies. It is for a schema that was on the
// target before: one that is moved brings the statements with it. A view that
// cannot be refreshed is named in a warning.
func RefreshViews(ctx context.Context, source, destination *pgx.Conn) ([]string, error) {
	filled := map[catalog.Name]bool{}
	from, err := views(ctx, source)
	if err != nil {
		return nil, errors.Wrap(err, "list the source's materialized views")
	}
	for _, v := range from {
		filled[v.Name] = v.populated
	}
	to, err := views(ctx, destination)
	if err != nil {
		return nil, errors.Wrap(err, "list the target's materialized views")
	}
	var warnings []string
	for _, v := range to {
		if !filled[v.Name] {
			continue
		}
		_, err := destination.Exec(ctx, "REFRESH MATERIALIZED VIEW "+v.Quoted())
		var pgErr *pgconn.PgError
		switch {
		case err == nil:
		case errors.As(err, &pgErr) && pgErr.Severity == "ERROR" && ctx.Err() == nil:
			warnings = append(warnings, "materialized view "+v.String()+" was not refreshed: "+pgErr.Message)
		default:
			return warnings, errors.Wrapf(err, "refresh materialized view %s on the target", v)
		}
	}
	return warnings, nil
}

// view is a materialized view.
type view struct {
	catalog.Name

	populated bool
}

func views(ctx context.Context, conn *pgx.Conn) ([]view, error) {
	rows, err := conn.Query(ctx, viewsSQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v view, err error) {
		err = row.Scan(&v.Schema, &v.Name.Name, &v.populated)
		return v, err
	})
}
