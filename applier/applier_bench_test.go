package applier_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
)

const ordersSQL = `CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, status text, amount numeric(12,2), created_at timestamptz, payload jsonb, note text)`

// orders is the relation of ordersSQL.
var orders = &decoder.Relation{
	OID: 1, Namespace: "public", Name: "orders", ReplicaIdentity: decoder.IdentityDefault,
	Columns: []decoder.Column{
		{Name: "id", TypeOID: 20, Key: true},
		{Name: "customer_id", TypeOID: 20},
		{Name: "status", TypeOID: 25},
		{Name: "amount", TypeOID: 1700},
		{Name: "created_at", TypeOID: 1184},
		{Name: "payload", TypeOID: 3802},
		{Name: "note", TypeOID: 25},
	},
}

// order is a row of orders that is filled in again and again.
type order struct {
	tuple, key decoder.Tuple
}

func newOrder() *order {
	o := &order{}
	for _, data := range [][]byte{
		make([]byte, 8),
		{0, 0, 0, 0, 0, 0, 0, 42},
		[]byte("shipped"),
		{0, 2, 0, 0, 0, 0, 0, 2, 0, 123, 17, 148},
		{0, 2, 0xa0, 0, 0, 0, 0, 0},
		append([]byte{1}, `{"items": [1, 2, 3], "source": "web"}`...), []byte("leave it at the door"),
	} {
		o.tuple = append(o.tuple, decoder.Value{Kind: decoder.Binary, Data: data})
		o.key = append(o.key, decoder.Value{Kind: decoder.Null})
	}
	o.key[0] = o.tuple[0]
	return o
}

func (o *order) set(id int64) { binary.BigEndian.PutUint64(o.tuple[0].Data, uint64(id)) }

// BenchmarkApplier writes rows in transactions of perTransaction to a local server.
func BenchmarkApplier(b *testing.B) {
	const rows = 200_000
	random := rand.New(rand.NewPCG(1, 2)).Perm(rows)
	ascending := func(i int) int64 { return int64(i) }
	for _, c := range []struct {
		name           string
		op             decoder.Op
		perTransaction int
		id             func(i int) int64
	}{
		{"inserts", decoder.Insert, 1000, ascending},
		{"small inserts", decoder.Insert, 1, ascending},
		{"one transaction", decoder.Insert, rows, ascending},
		{"updates", decoder.Update, 1000, ascending},
		{"random updates", decoder.Update, 1000, func(i int) int64 { return int64(random[i]) }},
		{"hot updates", decoder.Update, 100, func(i int) int64 { return int64(random[i] % 1000) }},
		{"deletes", decoder.Delete, 1000, ascending},
	} {
		for _, setFrom := range []int{40, 1 << 30} {
			b.Run(fmt.Sprintf("%s/sets from %d", c.name, setFrom), func(b *testing.B) {
				var spent time.Duration
				for b.Loop() {
					b.StopTimer()
					r := newBenchReplica(b, c.op != decoder.Insert, rows)
					r.setFrom = setFrom
					b.StartTimer()
					start := time.Now()
					drive(b, r, c.op, rows, c.perTransaction, c.id)
					spent += time.Since(start)
				}
				b.ReportMetric(float64(rows)*float64(b.N)/spent.Seconds(), "rows/s")
			})
		}
	}
}

func newBenchReplica(b *testing.B, filled bool, rows int) *replica {
	b.Helper()
	statements := []string{ordersSQL}
	if filled {
		statements = append(statements, fmt.Sprintf(`INSERT INTO orders SELECT i, 42, 'new', 1, now(), '{"a": 1}', 'note' FROM generate_series(0, %d) i`, rows), `VACUUM ANALYZE orders`, `CHECKPOINT`)
	}
	return newTarget(b, "", statements...)
}

// drive feeds changes of one kind and waits until they are applied.
func drive(b *testing.B, r *replica, op decoder.Op, rows, perTransaction int, id func(int) int64) {
	b.Helper()
	a := r.applier(b)
	done := make(chan error, 1)
	go func() { done <- a.Run(b.Context()) }()
	o := newOrder()
	change := &decoder.Change{Op: op, Relation: orders, New: o.tuple}
	if op == decoder.Delete {
		change.OldKind, change.Old, change.New = decoder.OldKey, o.key, nil
	}
	tx := &decoder.Transaction{}
	var err error
	for i := 0; i < rows && err == nil; {
		tx.CommitLSN, tx.EndLSN = decoder.LSN(2*i+2), decoder.LSN(2*i+3)
		err = a.Begin(tx)
		for n := 0; n < perTransaction && i < rows && err == nil; n++ {
			o.set(id(i))
			err = a.Change(change)
			i++
		}
		if err == nil {
			err = a.Commit(tx)
		}
	}
	a.Close()
	if runErr := <-done; err != nil || runErr != nil {
		b.Fatal(err, runErr)
	}
	if s := a.Stats(); s.MissedDeletes+s.MissedUpdates > 0 || s.Inserts+s.Updates+s.Deletes != int64(rows) {
		b.Fatalf("%+v", s)
	}
	want := rows
	if op != decoder.Insert {
		want++
	}
	if op == decoder.Delete {
		want = 1
	}
	if got := pgtest.Query(b, r.target, "SELECT count(*) FROM orders")[0][0]; got != strconv.Itoa(want) {
		b.Fatalf("%s rows instead of %d", got, want)
	}
}
