-- What the publications $1 send: one row for each table, as its name stands in the stream.
-- A table of several publications is sent when one of them would: a row filter counts only
-- when each has one. Column lists have to be equal, else the server refuses to stream.
WITH published AS MATERIALIZED ( -- the view is costly
    SELECT c.oid, c.relkind, c.relispartition, p.pubupdate AND p.pubdelete AS updates, t.*
    FROM pg_catalog.pg_publication_tables t
    JOIN pg_catalog.pg_publication p USING (pubname)
    JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
    WHERE t.pubname = ANY ($1)
)
SELECT t.schemaname AS schema, t.tablename AS name, t.relkind = 'p' AS root,
       bool_or(t.updates) AS updates,
       max(%s) AS columns,
       CASE WHEN bool_and(%s IS NOT NULL) THEN string_agg(DISTINCT '(' || %s || ')', ' OR ') END AS filter,
       -- Pages as of the last vacuum or analyze: asking for the size would wait for locks.
       coalesce(sum((SELECT c.relpages::bigint + coalesce(o.relpages, 0) FROM pg_catalog.pg_class c
                     LEFT JOIN pg_catalog.pg_class o ON o.oid = c.reltoastrelid WHERE c.oid = p.relid)), 0)::bigint
           * pg_catalog.current_setting('block_size')::bigint AS bytes
FROM published t
LEFT JOIN LATERAL (
    SELECT relid FROM pg_catalog.pg_partition_tree(t.oid) WHERE isleaf AND t.relkind = 'p'
  UNION ALL
    SELECT t.oid WHERE t.relkind <> 'p'
) p ON true
-- Until 16, publications that send a partition and its root each list their own: it arrives as the root.
WHERE NOT t.relispartition OR NOT EXISTS (
    SELECT FROM published r JOIN pg_catalog.pg_partition_ancestors(t.oid) a ON a.relid = r.oid WHERE r.oid <> t.oid)
GROUP BY t.schemaname, t.tablename, t.relkind
ORDER BY 1, 2
