package validate

import (
	"context"
	"fmt"
	"strings"
)

var localeChecks = []check{
	{
		id: "source.collation_version", severity: Warning, needs: source, run: collationVersions,
		cause:  "A collation in use on the source was made with another version of its library than is there now. Its indexes may be out of order, and unique ones may have let duplicates in, which the target refuses.",
		remedy: "`REINDEX` what uses it, then `ALTER COLLATION … REFRESH VERSION` or `ALTER DATABASE … REFRESH COLLATION VERSION`.",
	},
	{
		id: "target.locale", severity: Warning, needs: both, ofDatabase: true, run: targetLocale,
		cause:  "The databases' default collations differ: text sorts differently on the target, and text ranges of partitions may judge differently.",
		remedy: "Create the target database with the source's locale.",
	},
	{
		id: "target.collations", severity: Error, needs: both, run: targetCollations,
		cause:  "A column or index of the source uses a collation that the target's operating system or build does not have.",
		remedy: "Install the locale on the target's machine and run `SELECT pg_import_system_collations('pg_catalog');`, or use another collation.",
	},
	{
		id: "target.icu", severity: Error, needs: both, run: targetICU,
		cause:  "The source has collations of ICU, and the target was built without it.",
		remedy: "Use a target with ICU.",
	},
}

func collationVersions(ctx context.Context, p *preflight) ([]Finding, error) {
	findings, err := p.source.find(ctx, func(row []string) Finding {
		return Finding{
			Message: fmt.Sprintf("the collation was made with version %s of its library, the source now has %s", row[1], row[2]),
			Detail:  "Indexes that use it may be out of order, and unique ones may hold duplicates.",
			Hint:    "On the source, run REINDEX for the indexes that use it, then: ALTER COLLATION " + row[3] + " REFRESH VERSION;",
		}
	}, `SELECT n.nspname || '.' || c.collname, c.collversion, pg_catalog.pg_collation_actual_version(c.oid), pg_catalog.format('%I.%I', n.nspname, c.collname)
		FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
		WHERE c.collversion IS NOT NULL AND c.collversion <> pg_catalog.pg_collation_actual_version(c.oid)
			AND c.oid IN (SELECT a.attcollation FROM pg_catalog.pg_attribute a WHERE a.attcollation <> 0)
		ORDER BY 1`)
	if err != nil || p.source.major() < 15 {
		return findings, err
	}
	ofDatabase, err := p.source.find(ctx, func(row []string) Finding {
		return Finding{
			Message: fmt.Sprintf("the database was made with version %s of its collation's library, the source now has %s", row[1], row[2]),
			Detail:  "Indexes over text may be out of order, and unique ones may hold duplicates.",
			Hint:    "On the source, run: REINDEX DATABASE " + p.source.quotedDatabase() + "; ALTER DATABASE " + p.source.quotedDatabase() + " REFRESH COLLATION VERSION;",
		}
	}, `SELECT datname::text, datcollversion, pg_catalog.pg_database_collation_actual_version(oid) FROM pg_catalog.pg_database
		WHERE datname = pg_catalog.current_database() AND datcollversion <> pg_catalog.pg_database_collation_actual_version(oid)`)
	return append(findings, ofDatabase...), err
}

// localeSQL names provider and locale. The columns are called differently since 15 and 17.
const localeSQL = `SELECT coalesce(nullif(pg_catalog.to_jsonb(d) ->> 'datlocprovider', ''), 'c'), datcollate::text, datctype::text,
	coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale', '')
	FROM pg_catalog.pg_database d WHERE datname = pg_catalog.current_database()`

func targetLocale(ctx context.Context, p *preflight) ([]Finding, error) {
	of := func(s *server) (string, error) {
		var provider, collate, ctype, locale string
		err := s.conn.QueryRow(ctx, localeSQL).Scan(&provider, &collate, &ctype, &locale)
		switch {
		case provider == "c" && collate == ctype:
			return normalLocale(collate), err
		case provider == "c":
			return normalLocale(collate) + " with LC_CTYPE " + normalLocale(ctype), err
		case provider == "i":
			return locale + " of ICU", err
		}
		return locale + " of the server", err
	}
	from, err := of(p.source)
	if err != nil {
		return nil, err
	}
	to, err := of(p.target)
	if err != nil || from == to {
		return nil, err
	}
	return []Finding{{
		Object:  p.target.database,
		Message: fmt.Sprintf("the source's default collation is %s, the target's %s", from, to),
		Detail:  "Text sorts differently on the target; results of ORDER BY, comparisons, and text ranges of partitions may differ.",
		Hint:    "Unless that is wanted, create the target database anew with the source's locale: CREATE DATABASE … TEMPLATE template0 LOCALE …;",
	}}, nil
}

// normalLocale writes a locale in one way: en_US.utf8 and en_US.UTF-8 are the same.
func normalLocale(name string) string {
	base, encoding, has := strings.Cut(name, ".")
	if base == "POSIX" {
		base = "C"
	}
	if !has {
		return base
	}
	return base + "." + strings.ToUpper(strings.ReplaceAll(encoding, "-", ""))
}

// targetCollations asks for those that a schema does not bring along.
func targetCollations(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema {
		return nil, nil
	}
	used, err := p.source.strings(ctx, `SELECT DISTINCT c.collname::text FROM pg_catalog.pg_collation c
		WHERE c.collnamespace = 'pg_catalog'::regnamespace AND (c.oid IN (SELECT a.attcollation FROM pg_catalog.pg_attribute a WHERE a.attcollation <> 0 AND a.attrelid >= 16384)
			OR c.oid IN (SELECT t.typcollation FROM pg_catalog.pg_type t WHERE t.typcollation <> 0 AND t.oid >= 16384))`)
	if err != nil {
		return nil, err
	}
	return p.target.find(ctx, func([]string) Finding {
		return Finding{
			Message: "the target does not have the collation, which columns or indexes of the source use",
			Hint:    "Install the locale on the target's machine and run there as a superuser: SELECT pg_import_system_collations('pg_catalog'); or use another collation on the source.",
		}
	}, `SELECT w FROM pg_catalog.unnest($1::text[]) w WHERE w NOT IN (SELECT collname::text FROM pg_catalog.pg_collation
			WHERE collnamespace = 'pg_catalog'::regnamespace AND collencoding IN (-1, (SELECT encoding FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))) ORDER BY 1`, used)
}

func targetICU(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema {
		return nil, nil
	}
	offered, err := p.target.number(ctx, "SELECT count(*) FROM pg_catalog.pg_collation WHERE collprovider = 'i'")
	if err != nil || offered > 0 {
		return nil, err
	}
	return p.source.find(ctx, func([]string) Finding {
		return Finding{
			Message: "the collation is one of ICU, which the target was built without",
			Hint:    "Use a target that was built with ICU, as packages and services are.",
		}
	}, `SELECT n.nspname || '.' || c.collname FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
		WHERE c.collprovider = 'i' AND c.collnamespace <> 'pg_catalog'::regnamespace ORDER BY 1`)
}
