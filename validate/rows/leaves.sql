-- What holds the rows of the tables $1: the table itself, or the partitions that it has.
SELECT t.number::pg_catalog.int4 AS number
     , c.oid
     , pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
     , m.amname = 'heap' AS heap
     , coalesce(pg_catalog.pg_relation_size(c.oid), 0) / pg_catalog.current_setting('block_size')::pg_catalog.int8 AS pages
  FROM pg_catalog.unnest($1::pg_catalog.oid[]) WITH ORDINALITY AS t(oid, number)
  JOIN pg_catalog.pg_class r ON r.oid = t.oid
 CROSS JOIN LATERAL (
       SELECT p.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree(t.oid) p WHERE r.relkind = 'p' AND p.isleaf
        UNION ALL
       SELECT t.oid WHERE r.relkind = 'r') AS l(oid)
  JOIN pg_catalog.pg_class c ON c.oid = l.oid AND c.relkind = 'r'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
 ORDER BY t.number, c.oid
