-- The relations that hold the rows of the tables named in $1: the table itself, or its partitions.
SELECT t.ord, pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation, c.oid,
       c.relfilenode AS file, -- as the snapshot has it
       -- Ranges of ctid are scanned since 14, in tables of PostgreSQL's own kind.
       c.relkind = 'r' AND c.relam = 2 AND pg_catalog.current_setting('server_version_num')::int >= 140000 AS ctid,
       coalesce(pg_catalog.pg_relation_size(c.oid), 0) / pg_catalog.current_setting('block_size')::bigint AS blocks,
       coalesce(pg_catalog.pg_table_size(c.oid), 0) AS bytes,
       root.relkind = 'p' AS partitioned,
       c.relkind = 'r' AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable
FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS t(name, ord)
JOIN pg_catalog.pg_class root ON root.oid = pg_catalog.to_regclass(t.name)
JOIN LATERAL (
    SELECT p.relid FROM pg_catalog.pg_partition_tree(root.oid) p WHERE p.isleaf AND root.relkind = 'p'
  UNION ALL
    SELECT root.oid WHERE root.relkind <> 'p'
) leaf ON true
JOIN pg_catalog.pg_class c ON c.oid = leaf.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY t.ord, n.nspname, c.relname
