package rowdiff

import (
	"context"
	_ "embed" // the queries
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

//go:embed tables.sql
var tablesSQL string

// pins make a value's text the same on every server.
var pins = map[string]string{
	"search_path":        "",
	"client_encoding":    "UTF8",
	"datestyle":          "ISO",
	"intervalstyle":      "postgres",
	"timezone":           "UTC",
	"extra_float_digits": "3",
	"bytea_output":       "hex",
	"xmloption":          "content",
	"lc_monetary":        "C",
	"row_security":       "off",
	"statement_timeout":  "0",
	"application_name":   "walferry/rowdiff",
}

// table is one ordinary table of the source.
type table struct {
	schema, name string
	columns      []string // in the source's order
}

func (t table) String() string { return t.schema + "." + t.name }

// pair is a connection to each side.
type pair struct{ source, target *pgx.Conn }

// Diff compares the databases of two connection strings. Both must be quiet.
func Diff(ctx context.Context, source, target string, o Options) (Result, error) {
	var r Result
	p, closeBoth, err := connect(ctx, source, target)
	if err != nil {
		return r, err
	}
	defer closeBoth()
	tables, err := readTables(ctx, p.source, o.Unlogged)
	if err != nil {
		return r, errors.Wrap(err, "list the source's tables")
	}
	there, err := readTables(ctx, p.target, true)
	if err != nil {
		return r, errors.Wrap(err, "list the target's tables")
	}
	onTarget := make(map[[2]string]table, len(there))
	for _, t := range there {
		onTarget[[2]string{t.schema, t.name}] = t
	}
	for _, t := range tables {
		if slices.Contains(o.Skip, t.String()) {
			continue
		}
		other, exists := onTarget[[2]string{t.schema, t.name}]
		if !exists {
			r.Tables++
			r.Differences = append(r.Differences, fmt.Sprintf("%s: the target has no such table", t))
			continue
		}
		rows, difference, err := p.compare(ctx, t, other, o)
		if err != nil {
			return r, errors.Wrapf(err, "compare table %s", t)
		}
		r.Tables++
		r.Rows += rows
		if difference != "" {
			r.Differences = append(r.Differences, difference)
		}
	}
	if o.Sequences {
		err = p.compareSequences(ctx, &r)
	}
	return r, err
}

// connect opens both sides and pins their settings. The returned function closes them.
func connect(ctx context.Context, source, target string) (pair, func(), error) {
	var p pair
	closeBoth := func() {
		for _, conn := range []*pgx.Conn{p.source, p.target} {
			if conn != nil {
				_ = conn.Close(context.WithoutCancel(ctx)) // nothing is lost
			}
		}
	}
	var err error
	if p.source, err = open(ctx, source); err != nil {
		return p, nil, errors.Wrap(err, "connect to the source")
	}
	if p.target, err = open(ctx, target); err != nil {
		closeBoth()
		return p, nil, errors.Wrap(err, "connect to the target")
	}
	return p, closeBoth, nil
}

func open(ctx context.Context, uri string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, uri)
	if err != nil {
		return nil, err
	}
	for name, value := range pins {
		if _, err := conn.Exec(ctx, "SELECT pg_catalog.set_config($1, $2, false)", name, value); err != nil {
			return nil, errors.CombineErrors(errors.Wrapf(err, "set %s", name), conn.Close(ctx))
		}
	}
	return conn, nil
}

func readTables(ctx context.Context, conn *pgx.Conn, unlogged bool) ([]table, error) {
	rows, err := conn.Query(ctx, tablesSQL, unlogged)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (table, error) {
		var t table
		err := row.Scan(&t.schema, &t.name, &t.columns)
		return t, err
	})
}

// compare returns the source's row count and what differs, if anything does.
func (p pair) compare(ctx context.Context, t, there table, o Options) (int64, string, error) {
	for _, column := range t.columns {
		if !slices.Contains(there.columns, column) {
			return 0, fmt.Sprintf("%s: the target has no column %q", t, column), nil
		}
	}
	var source, target digest
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		source, err = readDigest(gctx, p.source, t)
		return errors.Wrap(err, "on the source")
	})
	g.Go(func() (err error) {
		target, err = readDigest(gctx, p.target, t)
		return errors.Wrap(err, "on the target")
	})
	if err := g.Wait(); err != nil {
		return 0, "", err
	}
	if source == target {
		return source.rows, "", nil
	}
	examples := o.Examples
	if examples <= 0 {
		examples = 5
	}
	lines, err := p.examples(ctx, t, examples)
	if err != nil {
		return 0, "", err
	}
	head := fmt.Sprintf("%s: %d rows on the source, %d on the target", t, source.rows, target.rows)
	return source.rows, strings.Join(append([]string{head}, lines...), "\n"), nil
}

// digest identifies a multiset of rows.
type digest struct {
	rows   int64
	hashes string
}

// readDigest lets the server add up two halves of every row's md5.
func readDigest(ctx context.Context, conn *pgx.Conn, t table) (digest, error) {
	var d digest
	err := conn.QueryRow(ctx, `SELECT count(*), coalesce(
		sum(('x' || left(h, 16))::bit(64)::int8)::text || '/' || sum(('x' || right(h, 16))::bit(64)::int8)::text, '')
		FROM (SELECT md5(r) AS h FROM (`+rowsSQL(t)+`) AS rows) AS hashes`, pgx.QueryExecModeExec).Scan(&d.rows, &d.hashes)
	return d, err
}

// rowsSQL selects every row as one text r, in which NULL and ” differ.
func rowsSQL(t table) string {
	texts := make([]string, len(t.columns))
	for i, column := range t.columns {
		texts[i] = pgx.Identifier{column}.Sanitize() + "::text"
	}
	return "SELECT ROW(" + strings.Join(texts, ", ") + ")::text AS r FROM ONLY " +
		pgx.Identifier{t.schema, t.name}.Sanitize()
}
