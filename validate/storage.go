package validate

import (
	"context"
	"slices"

	"github.com/walferry/walferry/internal/sqltext"
)

var storageChecks = []check{
	{
		id: "target.tablespaces", severity: Warning, needs: both, run: tablespaces,
		cause:  "Tables or indexes of the source are in a tablespace that the target does not have. They are created in the default one.",
		remedy: "Create the tablespace on the target beforehand, if it matters.",
	},
	{
		id: "target.access_methods", severity: Error, needs: both, run: accessMethods,
		cause:  "A table or index of the source uses an access method that the target does not have, no extension brings, and only a superuser can create.",
		remedy: "Create it on the target as a superuser, or change the table's access method on the source.",
	},
	{
		id: "target.compression", severity: Error, needs: both, run: compression,
		cause:  "A column of the source is compressed with lz4, and the target was built without it.",
		remedy: "`ALTER TABLE … ALTER COLUMN … SET COMPRESSION pglz` on the source, or a target with lz4.",
	},
}

func tablespaces(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema {
		return nil, nil
	}
	used, err := p.source.strings(ctx, `SELECT DISTINCT t.spcname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
		WHERE c.oid >= 16384 AND t.spcname <> 'pg_global'`)
	if err != nil {
		return nil, err
	}
	return p.target.find(ctx, func(row []string) Finding {
		return Finding{
			Message: "the target does not have the tablespace; what is in it is created in the default one",
			Hint:    "If it matters, run on the target as a superuser: CREATE TABLESPACE " + sqltext.Ident(row[0]) + " LOCATION '…';",
		}
	}, "SELECT w FROM pg_catalog.unnest($1::text[]) w WHERE w NOT IN (SELECT spcname::text FROM pg_catalog.pg_tablespace) ORDER BY 1", used)
}

// accessMethods: a superuser's schema brings them along.
func accessMethods(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema || p.target.superuser {
		return nil, nil
	}
	used, err := p.source.strings(ctx, `SELECT DISTINCT m.amname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am m ON m.oid = c.relam
		WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_am'::regclass AND d.objid = m.oid AND d.deptype = 'e')`)
	if err != nil {
		return nil, err
	}
	return p.target.find(ctx, func([]string) Finding {
		return Finding{
			Message: "the target does not have the access method, and its role may not create it",
			Hint:    "On the target, create it as a superuser; or on the source, run: ALTER TABLE … SET ACCESS METHOD heap;",
		}
	}, "SELECT w FROM pg_catalog.unnest($1::text[]) w WHERE w NOT IN (SELECT amname::text FROM pg_catalog.pg_am) ORDER BY 1", used)
}

func compression(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema || p.source.major() < 14 {
		return nil, nil
	}
	known, err := p.target.strings(ctx, "SELECT pg_catalog.unnest(enumvals) FROM pg_catalog.pg_settings WHERE name = 'default_toast_compression'")
	if err != nil || slices.Contains(known, "lz4") {
		return nil, err
	}
	return p.perTable(ctx, func(row []string) Finding {
		return Finding{
			Message: "columns of the table are compressed with lz4, which the target was built without",
			Detail:  "Columns: " + row[1] + ".",
			Hint:    "On the source, run for each: ALTER TABLE … ALTER COLUMN … SET COMPRESSION pglz; or use a target that was built with lz4.",
		}
	}, `SELECT attrelid, pg_catalog.string_agg(attname, ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute
		WHERE attrelid = ANY ($1) AND attcompression = 'l' AND NOT attisdropped GROUP BY 1`)
}
