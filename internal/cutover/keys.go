package cutover

import (
	"context"
	"fmt"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/sqltext"
)

// unvalidatedSQL lists the foreign keys that were restored as NOT VALID although they
// were valid before: entries name them as pg_dump does, "table constraint".
const unvalidatedSQL = `SELECT DISTINCT n.nspname, c.relname, k.conname
	FROM pg_catalog.pg_constraint k
	JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	JOIN walferry.entry e ON e.migration = $1 AND e.kind = 'FK CONSTRAINT' AND e.state = 'done'
		AND e.namespace = n.nspname AND e.name = c.relname || ' ' || k.conname
	WHERE k.contype = 'f' AND NOT k.convalidated AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true)
		AND pg_catalog.rtrim(e.sql, E'; \n') NOT LIKE '% NOT VALID'
	ORDER BY 1, 2, 3`

// ValidateKeys validates the foreign keys that were restored without looking at the
// rows. One that the rows break stays NOT VALID and is named in broken: it was broken
// on the source, whose rows these are.
func (s Sides) ValidateKeys(ctx context.Context, a Actions) (validated int, broken []string, err error) {
	type key struct{ Namespace, Table, Name string }
	rows, err := s.Target.Query(ctx, unvalidatedSQL, s.Migration)
	if err != nil {
		return 0, nil, errors.Wrap(err, "read the foreign keys of the target")
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[key])
	if err != nil {
		return 0, nil, errors.Wrap(err, "read the foreign keys of the target")
	}
	for _, k := range keys {
		err := exec(ctx, a, "target", s.Target,
			"ALTER TABLE "+sqltext.Ident(k.Namespace, k.Table)+" VALIDATE CONSTRAINT "+sqltext.Ident(k.Name))
		var pgErr *pgconn.PgError
		switch {
		case errors.As(err, &pgErr) && pgErr.Code == "23503":
			broken = append(broken, fmt.Sprintf("foreign key %s of %s.%s is left NOT VALID: %s", k.Name, k.Namespace, k.Table, pgErr.Detail))
		case err != nil:
			return validated, broken, err
		default:
			validated++
		}
	}
	return validated, broken, nil
}
