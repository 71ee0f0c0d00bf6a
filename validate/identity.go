package validate

import (
	"context"
	"strings"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/sqltext"
)

var identityChecks = []check{
	{
		id: "source.identity", severity: Warning, needs: source, replication: true, run: identity,
		cause: "A table has no replica identity: no primary key, a deferrable one, or `REPLICA IDENTITY NOTHING`. In an ordinary publication its UPDATE and DELETE would start to fail in the source's application " +
			"(`cannot update table … because it does not have a replica identity and publishes updates`). walferry therefore publishes it for INSERT and TRUNCATE only, in a second publication; " +
			"rows that are updated or deleted stay as they are on the target.",
		remedy: "`ALTER TABLE … REPLICA IDENTITY USING INDEX …`, where a unique index over NOT NULL columns exists; else a primary key, or `REPLICA IDENTITY FULL`.",
	},
	{
		id: "source.full_identity", severity: Info, needs: source, replication: true, run: fullIdentity,
		cause: "A table has `REPLICA IDENTITY FULL` and no primary key: each UPDATE and DELETE looks through the whole table on the target, unless that has a unique index of its own. " +
			"Columns whose type has no equality (json, xml, point, …) are compared as text; the native subscription fails on those.",
		remedy: "A primary key, where there are many changes.",
	},
	{
		id: "source.deferrable_keys", severity: Info, needs: source, replication: true, run: deferrableKeys,
		cause:  "A unique constraint is deferrable. It is no replica identity, and the target does not enforce it while `session_replication_role` is `replica`.",
		remedy: "Nothing: the source has checked the rows. Do not write to such a table of the target before the end.",
	},
	{
		id: "source.row_filters", severity: Warning, needs: source, replication: true, run: rowFilters,
		cause: "A publication filters the rows of a table that can hold TOAST values outside of its replica identity. A row that enters the filter by an UPDATE arrives as an INSERT without those values; " +
			"the native subscription writes NULL, walferry stops with an error.",
		remedy: "`ALTER TABLE … REPLICA IDENTITY FULL`, with which the values are sent.",
	},
}

// identity finds tables whose UPDATE and DELETE statements need a replica
// identity as soon as a publication publishes them.
func identity(ctx context.Context, p *preflight) ([]Finding, error) {
	usable, err := p.usableIndexes(ctx)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for i := range p.tables {
		t := &p.tables[i]
		if t.Identified() || t.Kind == catalog.KindPartitioned || t.Persistence == catalog.Unlogged {
			continue
		}
		f := Finding{
			Object:  t.String(),
			Message: "UPDATE and DELETE of the table cannot be replicated: " + t.IdentityProblem(),
			Detail: "An ordinary publication would let such statements of the source's application fail. walferry publishes the table for INSERT and TRUNCATE only: " +
				"the application goes on unhurt, but rows that it updates or deletes stay as they are on the target.",
			Hint: "On the source, run: ALTER TABLE " + t.Quoted() + " REPLICA IDENTITY FULL; or, better, add a primary key.",
		}
		if index := usable[t.OID]; index != "" {
			f.Hint = "On the source, run: ALTER TABLE " + t.Quoted() + " REPLICA IDENTITY USING INDEX " + sqltext.Ident(index) + ";"
		}
		if len(p.Publications) > 0 {
			f.Detail = "Where its publication publishes updates or deletes, the source refuses such statements of its own application: " +
				"cannot update table because it does not have a replica identity and publishes updates."
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// usableIndexes finds, for tables without an identity, a unique index that can be
// one: over columns that are NOT NULL, neither partial nor deferrable.
func (p *preflight) usableIndexes(ctx context.Context) (map[uint32]string, error) {
	var oids []uint32
	for i := range p.tables {
		if t := &p.tables[i]; !t.Identified() && t.Kind == catalog.KindTable {
			oids = append(oids, t.OID)
		}
	}
	if len(oids) == 0 {
		return nil, nil
	}
	rows, err := p.source.conn.Query(ctx, `SELECT i.indrelid, pg_catalog.min(c.relname)::text
		FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
		WHERE i.indrelid = ANY ($1) AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
			AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, position)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
				WHERE k.position <= i.indnkeyatts AND NOT a.attnotnull)
		GROUP BY 1`, oids)
	if err != nil {
		return nil, err
	}
	usable := map[uint32]string{}
	for rows.Next() {
		var oid uint32
		var name string
		if err := rows.Scan(&oid, &name); err != nil {
			rows.Close()
			return nil, err
		}
		usable[oid] = name
	}
	return usable, rows.Err()
}

func fullIdentity(ctx context.Context, p *preflight) ([]Finding, error) {
	var full []string
	for i := range p.tables {
		if t := &p.tables[i]; t.ReplicaIdentity == catalog.IdentityFull && len(t.PrimaryKey) == 0 && t.Kind == catalog.KindTable {
			full = append(full, t.String())
		}
	}
	if len(full) == 0 {
		return nil, nil
	}
	unequal, err := p.columnsWithoutEquality(ctx)
	if err != nil {
		return nil, err
	}
	findings := make([]Finding, len(full))
	for i, name := range full {
		findings[i] = Finding{
			Object:  name,
			Message: "the table has REPLICA IDENTITY FULL and no primary key: every UPDATE and DELETE looks through all of it on the target",
			Hint:    "Add a primary key if it is large and its rows change often.",
		}
		if columns := unequal[name]; columns != "" {
			findings[i].Detail = "These columns have types without equality and are compared as text: " + columns + "."
		}
	}
	return findings, nil
}

// columnsWithoutEquality lists, by table, the columns of FULL tables whose type
// has no operator class for equality.
func (p *preflight) columnsWithoutEquality(ctx context.Context) (map[string]string, error) {
	oids := make([]uint32, 0, len(p.tables))
	for i := range p.tables {
		if p.tables[i].ReplicaIdentity == catalog.IdentityFull {
			oids = append(oids, p.tables[i].OID)
		}
	}
	found, err := p.source.find(ctx, func(row []string) Finding { return Finding{Detail: row[1]} }, `
		WITH RECURSIVE base (oid, base) AS (
			SELECT DISTINCT a.atttypid, a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
			UNION
			SELECT b.oid, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.base
			WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0
		), unequal AS (
			SELECT b.oid FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.base
			WHERE t.typtype = 'b' AND t.typcategory <> 'A' AND NOT EXISTS (SELECT FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
				WHERE m.amname IN ('btree', 'hash') AND o.opcdefault AND (o.opcintype = t.oid
					OR EXISTS (SELECT FROM pg_catalog.pg_cast k WHERE k.castsource = t.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b')))
		)
		SELECT n.nspname || '.' || c.relname, pg_catalog.string_agg(a.attname || ' (' || pg_catalog.format_type(a.atttypid, NULL) || ')', ', ' ORDER BY a.attnum)
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN (SELECT oid FROM unequal)
		GROUP BY 1`, oids)
	columns := make(map[string]string, len(found))
	for _, f := range found {
		columns[f.Object] = f.Detail
	}
	return columns, err
}

func deferrableKeys(ctx context.Context, p *preflight) ([]Finding, error) {
	return p.constraints(ctx, "contype IN ('p', 'u') AND condeferrable", func(row []string) Finding {
		return Finding{
			Message: "the table has a deferrable unique constraint, which the target does not enforce in sessions with session_replication_role = replica",
			Detail:  "It is " + row[1] + ". The source has checked the rows already.",
			Hint:    "Do not write to the table on the target before the migration has ended.",
		}
	})
}

// constraints makes a finding for each table that has constraints of a kind; row
// holds the table and the constraints' names.
func (p *preflight) constraints(ctx context.Context, condition string, describe func(row []string) Finding) ([]Finding, error) {
	return p.perTable(ctx, describe, `SELECT conrelid, pg_catalog.string_agg(conname, ', ' ORDER BY conname)
		FROM pg_catalog.pg_constraint WHERE conrelid = ANY ($1) AND conparentid = 0 AND `+condition+` GROUP BY 1`)
}

// perTable makes a finding for each of the source's tables that a query answers
// for, by OID and a text, in the order of tables.
func (p *preflight) perTable(ctx context.Context, describe func(row []string) Finding, sql string) ([]Finding, error) {
	oids := make([]uint32, len(p.tables))
	for i := range p.tables {
		oids[i] = p.tables[i].OID
	}
	if len(oids) == 0 {
		return nil, nil
	}
	rows, err := p.source.conn.Query(ctx, sql, oids)
	if err != nil {
		return nil, err
	}
	texts, found := map[uint32]string{}, map[uint32]bool{}
	for rows.Next() {
		var oid uint32
		var text string
		if err := rows.Scan(&oid, &text); err != nil {
			rows.Close()
			return nil, err
		}
		texts[oid], found[oid] = text, true
	}
	if rows.Err() != nil {
		return nil, rows.Err()
	}
	return p.eachTable(found, func(t *catalog.Table) Finding { return describe([]string{t.String(), texts[t.OID]}) }), nil
}

// rowFilters finds filtered tables of the named publications with columns whose
// values can be out of line and are not sent with every change.
func rowFilters(ctx context.Context, p *preflight) ([]Finding, error) {
	if len(p.Publications) == 0 || p.source.major() < 15 {
		return nil, nil
	}
	return p.source.find(ctx, func(row []string) Finding {
		return Finding{
			Message: "the publication filters the table's rows, and a row that enters the filter by an UPDATE may arrive without its large values",
			Detail:  "Columns that can hold them: " + row[1] + ". walferry stops when that happens, instead of writing NULL.",
			Hint:    "On the source, run: ALTER TABLE " + sqltext.Ident(strings.SplitN(row[2], "\x01", 2)...) + " REPLICA IDENTITY FULL;",
		}
	}, `SELECT n.nspname || '.' || c.relname, pg_catalog.string_agg(a.attname::text, ', ' ORDER BY a.attnum), n.nspname || pg_catalog.chr(1) || c.relname
		FROM (SELECT DISTINCT c.oid FROM pg_catalog.pg_publication_tables t
				JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
				WHERE t.pubname = ANY ($1) AND t.rowfilter IS NOT NULL) filtered
		JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage <> 'p' AND a.attgenerated = ''
		WHERE c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey)
			AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END)
		GROUP BY 1, 3 ORDER BY 1`, p.Publications)
}
