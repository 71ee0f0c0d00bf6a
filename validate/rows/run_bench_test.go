package rows_test

import (
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/validate/rows"
)

// BenchmarkRun compares a table with itself, by one connection on each side.
func BenchmarkRun(b *testing.B) {
	const count = 200_000
	uri := pgtest.Server(b, 15).Database(b, `CREATE TABLE orders (id bigint PRIMARY KEY, customer int, at timestamptz, total numeric(12,2), state text, note text)`,
		`INSERT INTO orders SELECT i, i % 1000, 'epoch'::timestamptz + i * interval '1 second', i / 7.0, 'open', repeat('n', i % 80) FROM generate_series(1, 200000) i`,
		`VACUUM ANALYZE orders`)
	table := &rows.Table{Namespace: "public", Name: "orders"}
	for b.Loop() {
		if v := compare(b, uri, uri, table)["public.orders"]; !v.Equal() || v.SourceRows != count {
			b.Fatal(text(v))
		}
	}
	b.ReportMetric(float64(b.N)*2*count/b.Elapsed().Seconds(), "rows/s")
}
