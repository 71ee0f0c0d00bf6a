package rows

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed tables.sql
var tablesSQL string

//go:embed leaves.sql
var leavesSQL string

// relation is a table on one side.
type relation struct {
	oid         uint32 // 0: there is none
	partitioned bool
	columns     []string
	types       map[string]string // of the columns
	key         []string
	leaves      []leaf
}

// leaf is what holds rows: an ordinary table.
type leaf struct {
	oid   uint32
	name  string // quoted
	heap  bool
	pages int64
}

// describe reads all tables of one side at once.
func describe(ctx context.Context, conn *pgx.Conn, tables []*Table) (relations []relation, err error) {
	err = unlocked(ctx, conn, func() error {
		relations, err = describeLocked(ctx, conn, tables)
		return err
	})
	return relations, errors.Wrap(err, "read the definitions of tables")
}

func describeLocked(ctx context.Context, conn *pgx.Conn, tables []*Table) ([]relation, error) {
	namespaces, names := make([]string, len(tables)), make([]string, len(tables))
	for i, t := range tables {
		namespaces[i], names[i] = t.Namespace, t.Name
	}
	rows, err := conn.Query(ctx, tablesSQL, namespaces, names)
	if err != nil {
		return nil, err
	}
	relations, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r relation, err error) {
		var number int32
		var types []string
		err = row.Scan(&number, &r.oid, &r.partitioned, &r.columns, &types, &r.key)
		r.types = make(map[string]string, len(types))
		for i, name := range types {
			r.types[r.columns[i]] = name
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	oids := make([]uint32, len(relations))
	for i := range relations {
		oids[i] = relations[i].oid
	}
	if rows, err = conn.Query(ctx, leavesSQL, oids); err != nil {
		return nil, err
	}
	var number int32
	var l leaf
	_, err = pgx.ForEachRow(rows, []any{&number, &l.oid, &l.name, &l.heap, &l.pages}, func() error {
		r := &relations[number-1]
		r.leaves = append(r.leaves, l)
		return nil
	})
	return relations, err
}

// unlocked gives back, in the transaction that is open, every lock that f took. Without
// it a table that was read could not be truncated or altered until the snapshot ends.
func unlocked(ctx context.Context, conn *pgx.Conn, f func() error) error {
	if _, err := conn.Exec(ctx, "SAVEPOINT walferry"); err != nil {
		return errors.Wrap(err, "begin a part of the transaction")
	}
	err := f()
	if conn.IsClosed() || ctx.Err() != nil {
		return err
	}
	_, back := conn.Exec(ctx, "ROLLBACK TO SAVEPOINT walferry; RELEASE SAVEPOINT walferry")
	return errors.CombineErrors(err, errors.Wrap(back, "end a part of the transaction"))
}

// errRewritten is the error of reading a table that the snapshot does not show anymore.
var errRewritten = errors.New("the table was rewritten or altered after the snapshot was taken")

// same fails when a leaf has another file than in the snapshot: TRUNCATE and the forms of
// ALTER TABLE that rewrite are seen at once in all snapshots. It holds for as long as the
// lock that reading took.
func same(ctx context.Context, conn *pgx.Conn, leaves []leaf) error {
	oids := make([]uint32, len(leaves))
	for i, l := range leaves {
		oids[i] = l.oid
	}
	var same int
	err := conn.QueryRow(ctx, `
		SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
		WHERE c.oid = ANY ($1::pg_catalog.oid[]) AND c.relfilenode = pg_catalog.pg_relation_filenode(c.oid)`, oids).Scan(&same)
	if err == nil && same != len(leaves) {
		err = errRewritten
	}
	return err
}

func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

// altered reports that an error says that the table is not what the snapshot shows: it
// was dropped, renamed or altered, or its lock could not be had.
func altered(err error) bool {
	if errors.Is(err, errRewritten) {
		return true
	}
	switch sqlState(err) {
	case "42P01", "42703", "42704", "3F000", "40P01", "55P03":
		return true
	}
	return false
}
