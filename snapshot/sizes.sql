-- The relations that hold the rows of the tables named in $1: the table itself, or its partitions.
WITH named AS MATERIALIZED (
    SELECT t.ord, root.oid, root.relkind = 'p' AS partitioned
    FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS t(name, ord)
    JOIN pg_catalog.pg_class root ON root.oid = pg_catalog.to_regclass(t.name)
), holder AS MATERIALIZED ( -- joined once: many tables are looked up at a time
    SELECT ord, oid, partitioned FROM named WHERE NOT partitioned
  UNION ALL
    SELECT ord, p.relid, partitioned FROM named, pg_catalog.pg_partition_tree(oid) p WHERE partitioned AND p.isleaf
)
SELECT h.ord, pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation, c.oid,
       c.relfilenode AS file, -- as the snapshot has it
       -- Ranges of ctid are scanned since 14, in tables of PostgreSQL's own kind.
       c.relkind = 'r' AND c.relam = 2 AND pg_catalog.current_setting('server_version_num')::int >= 140000 AS ctid,
       coalesce(pg_catalog.pg_relation_size(c.oid), 0) / pg_catalog.current_setting('block_size')::bigint AS blocks,
       coalesce(pg_catalog.pg_table_size(c.oid), 0) AS bytes,
       h.partitioned,
       c.relkind = 'r' AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable
FROM holder h
JOIN pg_catalog.pg_class c ON c.oid = h.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY h.ord, n.nspname, c.relname
