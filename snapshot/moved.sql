-- Whether the table named in $1, or one of its partitions, is in another file than the snapshot has it
-- in: the catalog is read as the snapshot shows it, pg_relation_filenode() tells what is now.
SELECT coalesce(bool_or(c.oid IS NULL OR c.relfilenode <> coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)), true)
FROM (SELECT pg_catalog.to_regclass($1)::oid AS oid) root
JOIN LATERAL (SELECT p.relid FROM pg_catalog.pg_partition_tree(root.oid) p UNION SELECT root.oid) AS holder (oid) ON true
LEFT JOIN pg_catalog.pg_class c ON c.oid = holder.oid
