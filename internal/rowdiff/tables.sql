-- Ordinary tables with their columns in order: partitions are among them,
-- partitioned tables are not. $1 also chooses unlogged tables.
SELECT n.nspname, c.relname,
       coalesce(array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.attnum > 0 AND NOT a.attisdropped),
                '{}')::text[]
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r'
  AND (c.relpersistence = 'p' OR c.relpersistence = 'u' AND $1)
  AND n.nspname NOT IN ('information_schema', 'walferry')
  AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
