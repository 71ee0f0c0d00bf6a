package cutover

import (
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/sqltext"
)

// foreignKey is a foreign key of the target.
type foreignKey struct{ Namespace, Table, Name string }

// unvalidated lists the foreign keys that were restored as NOT VALID although they were
// valid before. They are matched here: a join on a name that is put together would compare each with each.
func (s Sides) unvalidated(ctx context.Context) ([]foreignKey, error) {
	rows, err := s.Target.Query(ctx, `SELECT n.nspname, c.relname, k.conname
		FROM pg_catalog.pg_constraint k
		JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE k.contype = 'f' AND NOT k.convalidated AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true)
		ORDER BY 1, 2, 3`)
	if err != nil {
		return nil, err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[foreignKey])
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	rows, err = s.Target.Query(ctx, `SELECT namespace, name FROM walferry.entry
		WHERE migration = $1 AND kind = 'FK CONSTRAINT' AND state = 'done' AND pg_catalog.rtrim(sql, E'; \n') NOT LIKE '% NOT VALID'`, s.Migration)
	if err != nil {
		return nil, err
	}
	// Entries name them as pg_dump does, "table constraint".
	valid := map[[2]string]bool{}
	var name [2]string
	if _, err := pgx.ForEachRow(rows, []any{&name[0], &name[1]}, func() error { valid[name] = true; return nil }); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(keys, func(k foreignKey) bool { return !valid[[2]string{k.Namespace, k.Table + " " + k.Name}] }), nil
}

// ValidateKeys validates the foreign keys that were restored without looking at the
// rows. One that the rows break stays NOT VALID and is named in broken: it was broken
// on the source, whose rows these are.
func (s Sides) ValidateKeys(ctx context.Context, a Actions) (validated int, broken []string, err error) {
	keys, err := s.unvalidated(ctx)
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
