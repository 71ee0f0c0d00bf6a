-- Tables that rows are written to by name: ordinary tables that are no partition, and
-- partitioned tables, as one JSON document each.
SELECT jsonb_build_object(
    'OID', c.oid::int8, 'Schema', n.nspname, 'Name', c.relname, 'Partitioned', c.relkind = 'p',
    'Identity', CASE c.relreplident
        -- From 18 on, the old row may not hold a column that is not published.
        WHEN 'f' THEN current_setting('server_version_num')::int < 180000
            OR NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '')
        WHEN 'd' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate)
        WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
        ELSE false END,
    'Columns', coalesce((
        SELECT jsonb_agg(jsonb_build_object('Name', a.attname, 'Type', a.atttypid::int8, 'Typmod', a.atttypmod, 'TypeName', format_type(a.atttypid, a.atttypmod),
            'NotNull', a.attnotnull OR EXISTS (SELECT FROM pg_type d WHERE d.oid = a.atttypid AND d.typnotnull), 'Default', a.atthasdef, 'Identity', a.attidentity::text,
            'Generated', a.attgenerated::text, 'Number', a.attnum,
            'Indexed', EXISTS (
                SELECT FROM pg_depend d JOIN pg_index i ON i.indexrelid = d.objid
                WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                  AND d.refobjid = c.oid AND d.refobjsubid = a.attnum)) ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
    -- Of indexes on expressions only the columns are told; partial ones are like the others.
    'Unique', coalesce((
        SELECT jsonb_agg(jsonb_build_object('Primary', i.indisprimary, 'Deferrable', NOT i.indimmediate, 'Partial', i.indpred IS NOT NULL,
            'Columns', (i.indkey::int2[])[0:i.indnkeyatts - 1]))
        FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique), '[]'),
    'PartitionKey', (SELECT to_jsonb(p.partattrs::int2[]) FROM pg_partitioned_table p WHERE p.partrelid = c.oid),
    'ForeignKeys', coalesce((
        SELECT jsonb_agg(jsonb_build_object('Columns', f.conkey, 'Parent', f.confrelid::int8, 'ParentColumns', f.confkey))
        FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0), '[]'),
    -- By a foreign key of its own or of a table that inherits from it, which TRUNCATE takes along.
    'Referenced', EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid <> f.confrelid AND f.confrelid IN (
        WITH RECURSIVE heir(oid) AS (SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN heir h ON i.inhparent = h.oid)
        SELECT h.oid FROM heir h)))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('information_schema', 'walferry') AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
