package rows_test

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/validate/rows"
)

// Two databases that nobody writes to are compared, each in a snapshot of every
// connection's own. Where they are written, the connections import exported ones.
func ExampleRun() {
	in := func(uri string) func(context.Context) (*pgx.Conn, error) {
		return func(ctx context.Context) (*pgx.Conn, error) {
			conn, err := pgx.Connect(ctx, uri)
			if err != nil {
				return nil, err
			}
			_, err = conn.Exec(ctx, `SET search_path = ''; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
				SET extra_float_digits = 3; SET bytea_output = 'hex'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
			return conn, err
		}
	}
	_, _, err := rows.Run(context.Background(), rows.Options{
		Source: in(os.Getenv("SOURCE")), Target: in(os.Getenv("TARGET")),
		Done: func(_ context.Context, v *rows.Verdict) error {
			fmt.Println(v.Table, v.Equal(), v.Missing, v.Extra, v.Changed)
			return nil
		},
	}, []*rows.Table{{Namespace: "public", Name: "orders"}})
	if err != nil {
		fmt.Println(err)
	}
}
