package applier

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/decoder"
)

// plan maps one definition of a source relation to its target table.
type plan struct {
	relation *decoder.Relation
	route    Route
	table    *table
	// columns are parallel to the relation's.
	columns []column
	// identity says how the target's rows are found, key by which columns.
	identity identity
	key      []int
	mode     mode
	// reason is why mode is not setwise.
	reason   string
	conflict backoff
	shapes   map[string]*shape
	scratch  []byte
	// missed is shared by all definitions of the table.
	missed *Missed
	// split is nil when one lane has the whole table.
	split *split
}

// column is where a source column goes.
type column struct {
	*targetColumn
	quoted string
	// key reports that the column is in plan.key.
	key bool
}

// identity is how an UPDATE or DELETE finds its row.
type identity byte

const (
	// identityNone means that it cannot: the table is published for inserts only.
	identityNone identity = iota
	// identityKey means by the key columns.
	identityKey
	// identityRow means by all columns, and then exactly one of the equal rows.
	identityRow
)

// newPlan returns the plan of a relation that takes a route.
func newPlan(r *decoder.Relation, route Route) *plan {
	p := &plan{relation: r, route: route}
	if p.route.Namespace == "" {
		p.route.Namespace = r.Namespace
	}
	if p.route.Name == "" {
		p.route.Name = r.Name
	}
	if len(route.Split) > 0 {
		p.split = newSplit(r, route.Split)
	}
	return p
}

// skips reports whether the changes of a transaction are dropped.
func (p *plan) skips(commitLSN decoder.LSN) bool {
	return p.route.Skip || commitLSN < p.route.Watermark
}

// bind reads the target table and maps the columns to it.
func (p *plan) bind(ctx context.Context, conn *pgx.Conn) error {
	t, err := readTable(ctx, conn, p.route.Namespace, p.route.Name)
	if errors.Is(err, errNoTable) {
		return errors.WithHintf(err, "create the table on the target with the definition that it has on the source "+
			"(pg_dump --schema-only --table '%s' shows it), then run the same command again", p.relationName())
	}
	if err != nil {
		return err
	}
	p.table, p.shapes = t, map[string]*shape{}
	if err := p.mapColumns(ctx, conn); err != nil {
		return err
	}
	p.chooseIdentity()
	p.mode, p.reason = p.chooseMode()
	return nil
}

func (p *plan) relationName() string {
	return p.relation.Namespace + "." + p.relation.Name
}

func (p *plan) mapColumns(ctx context.Context, conn *pgx.Conn) error {
	byName := make(map[string]*targetColumn, len(p.table.columns))
	for i := range p.table.columns {
		byName[p.table.columns[i].name] = &p.table.columns[i]
	}
	var missing []decoder.Column
	p.columns = make([]column, len(p.relation.Columns))
	for i, c := range p.relation.Columns {
		target := byName[c.Name]
		if target == nil {
			missing = append(missing, c)
			continue
		}
		p.columns[i] = column{targetColumn: target, quoted: quote(c.Name)}
	}
	if len(missing) > 0 {
		return p.missingColumns(ctx, conn, missing)
	}
	return nil
}

// missingColumns names the statement that adds what the source has and the target lacks.
func (p *plan) missingColumns(ctx context.Context, conn *pgx.Conn, missing []decoder.Column) error {
	const builtIn = `SELECT pg_catalog.format_type(oid, $2) FROM pg_catalog.pg_type WHERE oid = $1 AND oid < 16384`
	names, actions := make([]string, len(missing)), make([]string, len(missing))
	for i, c := range missing {
		names[i] = c.Name
		typeName := "…"
		err := conn.QueryRow(ctx, builtIn, c.TypeOID, c.TypeModifier).Scan(&typeName)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return errors.Wrapf(err, "read the type of column %s of %s", c.Name, p.relationName())
		}
		actions[i] = "ADD COLUMN " + quote(c.Name) + " " + typeName
	}
	err := errors.Newf("table %s on the target lacks the column %s", p.table, strings.Join(names, ", "))
	return errors.WithHintf(err, "run on the target: ALTER TABLE %s %s; then run the same command again",
		p.table.sql(), strings.Join(actions, ", "))
}

// chooseIdentity decides how rows are found. Under FULL a key of the target's own
// is better than comparing all columns.
func (p *plan) chooseIdentity() {
	if p.relation.ReplicaIdentity != decoder.IdentityFull {
		for i, c := range p.relation.Columns {
			if c.Key {
				p.key = append(p.key, i)
			}
		}
		if len(p.key) > 0 {
			p.identity = identityKey
		}
	} else {
		p.identity = identityRow
		for i := range p.table.indexes {
			if key := p.keyOf(&p.table.indexes[i]); key != nil {
				p.identity, p.key = identityKey, key
				break
			}
		}
	}
	for _, i := range p.key {
		p.columns[i].key = true
	}
}

// keyOf returns the columns of an index that identifies a row by published values,
// nil when it does not.
func (p *plan) keyOf(x *index) []int {
	if !x.unique || !x.immediate || !x.plain {
		return nil
	}
	key := make([]int, 0, len(x.columns))
	for _, number := range x.columns {
		for i := range p.columns {
			if c := &p.columns[i]; c.number == number && c.notNull {
				key = append(key, i)
			}
		}
	}
	if len(key) != len(x.columns) {
		return nil
	}
	return key
}
