-- $1 is a transaction id. Temporary objects come and go all the time, and are not decoded.
WITH lasting AS (
	SELECT oid FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
), relation AS (
	SELECT c.oid, c.xmin FROM pg_catalog.pg_class c JOIN lasting n ON n.oid = c.relnamespace
)
SELECT object FROM (
	SELECT oid::regclass::text, xmin FROM relation
	UNION ALL SELECT a.attrelid::regclass::text, a.xmin FROM pg_catalog.pg_attribute a JOIN relation r ON r.oid = a.attrelid
	UNION ALL SELECT i.indexrelid::regclass::text, i.xmin FROM pg_catalog.pg_index i JOIN relation r ON r.oid = i.indexrelid
	UNION ALL SELECT i.inhrelid::regclass::text, i.xmin FROM pg_catalog.pg_inherits i JOIN relation r ON r.oid = i.inhrelid
	UNION ALL SELECT p.prrelid::regclass::text, p.xmin FROM pg_catalog.pg_publication_rel p
	UNION ALL SELECT 'publication ' || p.pubname, p.xmin FROM pg_catalog.pg_publication p
	-- pg_publication_namespace, which came with 15, has a row here for each of its own
	UNION ALL SELECT 'publication ' || p.pubname, d.xmin FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_publication p ON p.oid = d.refobjid
		WHERE d.classid = pg_catalog.to_regclass('pg_catalog.pg_publication_namespace') AND d.refclassid = 'pg_catalog.pg_publication'::regclass
	UNION ALL SELECT 'schema ' || n.nspname, n.xmin FROM pg_catalog.pg_namespace n JOIN lasting USING (oid)
	UNION ALL SELECT 'type ' || t.oid::regtype::text, t.xmin FROM pg_catalog.pg_type t JOIN lasting n ON n.oid = t.typnamespace
	UNION ALL SELECT 'type ' || e.enumtypid::regtype::text, e.xmin FROM pg_catalog.pg_enum e
	UNION ALL SELECT 'type ' || r.rngtypid::regtype::text, r.xmin FROM pg_catalog.pg_range r
) changed (object, xmin)
WHERE pg_catalog.age(xmin) <= pg_catalog.age(($1::bigint & 4294967295)::text::xid)
LIMIT 1
