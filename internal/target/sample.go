package target

import (
	"context"
	"slices"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/status"
)

// AddSample keeps where both sides are, by the target's clock, and forgets what is older
// than an hour.
func AddSample(ctx context.Context, conn Execer, migration string, source, applied pglogrepl.LSN) error {
	_, err := conn.Exec(ctx, `
		WITH old AS (DELETE FROM walferry.sample WHERE migration = $1 AND at < pg_catalog.clock_timestamp() - interval '1 hour')
		INSERT INTO walferry.sample (migration, source_lsn, applied_lsn) VALUES ($1, $2::text::pg_lsn, $3::text::pg_lsn)
		ON CONFLICT DO NOTHING`, migration, source.String(), applied.String())
	return errors.Wrap(err, "keep a sample of the positions on the target")
}

// Samples reads what was kept, oldest first, and adds one of now.
func Samples(ctx context.Context, conn *pgx.Conn, migration string, source, applied pglogrepl.LSN) ([]status.Sample, error) {
	rows, err := conn.Query(ctx, `
		SELECT at, source_lsn::text, applied_lsn::text FROM walferry.sample WHERE migration = $1
		UNION ALL SELECT pg_catalog.clock_timestamp(), $2, $3 ORDER BY 1`, migration, source.String(), applied.String())
	if err != nil {
		return nil, errors.Wrap(err, "read samples of the positions from the target")
	}
	samples, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s status.Sample, err error) {
		var texts [2]string
		if err = row.Scan(&s.At, &texts[0], &texts[1]); err != nil {
			return s, err
		}
		for i, to := range []*uint64{&s.Source, &s.Applied} {
			lsn, err := pglogrepl.ParseLSN(texts[i])
			if err != nil {
				return s, err
			}
			*to = uint64(lsn)
		}
		return s, nil
	})
	// A position never goes back on one source: what is ahead of now is of another time.
	samples = slices.DeleteFunc(samples, func(s status.Sample) bool { return s.Source > uint64(source) })
	return samples, errors.Wrap(err, "read samples of the positions from the target")
}
