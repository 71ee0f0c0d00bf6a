package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// workload is a kind of backlog, made by SQL or, where bench is set, by pgbench.
type workload struct {
	name string
	goal float64 // how many times faster than the native subscription
	rows int     // changed rows at scale 1
	// perTx is how many rows one transaction changes; 0 means all in one.
	perTx int
	// schema is run on both sides.
	schema []string
	// seed fills the tables of both sides before the slot is made; nil: empty.
	seed func(rows int) string
	// change is the statement of one transaction; in it $1 is the number of the
	// transaction from 0 on, $2 perTx, $3 all rows.
	change string
	// bench makes the tables and the backlog by pgbench.
	bench bool
}

// scaled returns how many rows the workload changes at a scale: a multiple of
// perTx, and at least one transaction.
func (w workload) scaled(scale float64) int {
	unit := max(1, w.perTx)
	return max(1, int(math.Round(float64(w.rows)*scale/float64(unit)))) * unit
}

// backlog returns one statement that runs all transactions. It joins by nested
// loops only, so that rows are changed in the order of the keys asked for.
func (w workload) backlog(rows int) string {
	perTx := w.perTx
	if perTx == 0 {
		perTx = rows
	}
	change := strings.NewReplacer("$1", "t", "$2", strconv.Itoa(perTx), "$3", strconv.Itoa(rows)).Replace(w.change)
	return fmt.Sprintf(`DO $walferry$
BEGIN
	PERFORM set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false);
	FOR t IN 0..%d LOOP
		%s;
		COMMIT;
	END LOOP;
END
$walferry$`, rows/perTx-1, change)
}

func workloadNames() []string {
	names := make([]string, 0, len(workloads))
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return names
}

var orders = []string{`CREATE TABLE public.orders (
	id bigint PRIMARY KEY, customer_id bigint NOT NULL, status text NOT NULL, amount numeric(12,2) NOT NULL,
	created_at timestamptz NOT NULL, payload jsonb, note text)`}

// ordersFrom is the rows whose keys a set of bigint named i has. They depend on
// nothing but the key: both sides can be filled by themselves.
const ordersFrom = `SELECT i, i %% 10007, (ARRAY['new','paid','sent'])[1 + i %% 3], (i %% 100000) / 100.0,
	timestamptz '2026-01-01 00:00Z' + i * interval '1 second',
	jsonb_build_object('sku', 'SKU-' || i %% 997, 'quantity', i %% 9), 'note ' || md5(i::text)
	FROM generate_series(%s::bigint, %s::bigint) AS i`

func insertOrders(from, to string) string {
	return "INSERT INTO public.orders " + fmt.Sprintf(ordersFrom, from, to)
}

func seedOrders(rows int) string { return insertOrders("1", strconv.Itoa(rows)) }

var workloads = []workload{
	{
		name: "inserts", goal: 2, rows: 1_000_000, perTx: 1000,
		schema: orders, change: insertOrders("$1 * $2 + 1", "($1 + 1) * $2"),
	},
	{
		name: "small_inserts", goal: 2, rows: 200_000, perTx: 1,
		schema: orders, change: insertOrders("$1 + 1", "$1 + 1"),
	},
	{
		name: "updates", goal: 2, rows: 500_000, perTx: 1000, schema: orders, seed: seedOrders,
		change: `UPDATE public.orders SET status = 'done', amount = amount + 1, note = 'changed by ' || $1
			WHERE id BETWEEN $1 * $2 + 1 AND ($1 + 1) * $2`,
	},
	{
		// The multiplier is a prime that divides no number of rows in use: every
		// key comes once.
		name: "updates_random", goal: 2, rows: 500_000, perTx: 1000, schema: orders, seed: seedOrders,
		change: `UPDATE public.orders SET status = 'done', amount = amount + 1, note = 'changed by ' || $1
			FROM generate_series($1 * $2, ($1 + 1) * $2 - 1) AS g
			WHERE id = g::bigint * 479001599 % $3 + 1`,
	},
	{
		name: "deletes", goal: 1.5, rows: 500_000, perTx: 1000, schema: orders, seed: seedOrders,
		change: "DELETE FROM public.orders WHERE id BETWEEN $1 * $2 + 1 AND ($1 + 1) * $2",
	},
	{
		name: "big_txn", goal: 2, rows: 1_000_000,
		schema: orders, change: insertOrders("1", "$2"),
	},
	{
		name: "hot", goal: 2, rows: 500_000, perTx: 100, schema: orders,
		seed: func(int) string { return seedOrders(1000) },
		change: `UPDATE public.orders SET amount = $1, note = 'changed by ' || $1
			WHERE id BETWEEN $1 * $2 % 1000 + 1 AND $1 * $2 % 1000 + $2`,
	},
	{
		name: "toast", goal: 2, rows: 100_000, perTx: 100,
		schema: []string{
			"CREATE TABLE public.documents (id bigint PRIMARY KEY, status text NOT NULL, version int NOT NULL, body text)",
			"ALTER TABLE public.documents ALTER COLUMN body SET STORAGE EXTERNAL",
		},
		seed: func(rows int) string {
			return fmt.Sprintf(`INSERT INTO public.documents
				SELECT i, 'new', 1, repeat(md5(i::text), 192) FROM generate_series(1, %d) AS i`, rows)
		},
		change: `UPDATE public.documents SET status = 'done', version = version + 1
			WHERE id BETWEEN $1 * $2 + 1 AND ($1 + 1) * $2`,
	},
	{
		name: "indexed", goal: 1.5, rows: 300_000, perTx: 1000,
		schema: append(orders[:1:1],
			"CREATE INDEX ON public.orders (customer_id)",
			"CREATE INDEX ON public.orders (created_at)",
			"CREATE INDEX ON public.orders (status, amount)",
			"CREATE INDEX ON public.orders (note)"),
		change: insertOrders("$1 * $2 + 1", "($1 + 1) * $2"),
	},
	{name: "tpcb", goal: 2, rows: 400_000, perTx: 4, bench: true},
}
