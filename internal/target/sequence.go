package target

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
)

// RecordedSequences reads where walferry last set the sequences of a migration.
func RecordedSequences(ctx context.Context, conn *pgx.Conn, migration string) (map[catalog.Name]catalog.SequenceValue, error) {
	rows, err := conn.Query(ctx, `SELECT namespace, name, last_value, is_called FROM walferry.sequence WHERE migration = $1`, migration)
	if err != nil {
		return nil, errors.Wrap(err, "read the recorded sequences on the target")
	}
	values := map[catalog.Name]catalog.SequenceValue{}
	var v catalog.SequenceValue
	_, err = pgx.ForEachRow(rows, []any{&v.Schema, &v.Name.Name, &v.LastValue, &v.IsCalled}, func() error {
		values[v.Name] = v
		return nil
	})
	return values, errors.Wrap(err, "read the recorded sequences on the target")
}

// RecordSequences records where sequences are about to be set.
func RecordSequences(ctx context.Context, conn Execer, migration string, values []catalog.SequenceValue) error {
	schemas, names := make([]string, len(values)), make([]string, len(values))
	last, called := make([]int64, len(values)), make([]bool, len(values))
	for i, v := range values {
		schemas[i], names[i], last[i], called[i] = v.Schema, v.Name.Name, v.LastValue, v.IsCalled
	}
	_, err := conn.Exec(ctx, `
		INSERT INTO walferry.sequence (migration, namespace, name, last_value, is_called)
		SELECT $1, v.* FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]),
			pg_catalog.unnest($4::bigint[]), pg_catalog.unnest($5::boolean[])) v
		ON CONFLICT (migration, namespace, name) DO UPDATE SET last_value = excluded.last_value, is_called = excluded.is_called`,
		migration, schemas, names, last, called)
	return errors.Wrap(err, "record the sequences on the target")
}

// LargeObjects counts the large objects that a migration has moved.
func LargeObjects(ctx context.Context, conn *pgx.Conn, migration string) (n int64, err error) {
	err = conn.QueryRow(ctx, `SELECT pg_catalog.count(*) FROM walferry.large_object WHERE migration = $1`, migration).Scan(&n)
	return n, errors.Wrap(err, "count the large objects that were moved")
}
