package workload

import (
	"context"
	_ "embed" // the schema
	"strconv"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// UglySchema creates the schema, for servers from 13 on.
//
//go:embed ugly.sql
var UglySchema string

//go:embed ugly_rows.sql
var uglyRows string

// LoadUgly creates UglySchema in an empty database and fills it with some
// thousand rows, times scale for its larger tables.
func LoadUgly(ctx context.Context, uri string, scale int) error {
	conn, err := pgx.Connect(ctx, uri)
	if err != nil {
		return errors.Wrap(err, "connect to load the schema")
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the work is done, or has failed
	for _, text := range []string{
		UglySchema,
		"SET workload.scale = " + strconv.Itoa(max(1, scale)),
		uglyRows,
		"ANALYZE",
	} {
		if _, err := conn.PgConn().Exec(ctx, text).ReadAll(); err != nil {
			return errors.Wrap(err, "load the schema")
		}
	}
	return nil
}
