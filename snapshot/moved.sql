-- Whether the table named in $1, or one of its partitions, is in another file than the snapshot has it
-- in: the catalog is read as the snapshot shows it, pg_relation_filenode() tells what is now.
-- A subquery, not a join: each row is looked up by its OID, whatever the planner thinks their number is.
SELECT coalesce(bool_or(coalesce((SELECT c.relfilenode <> coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)
                                  FROM pg_catalog.pg_class c WHERE c.oid = holder.oid), true)), true)
FROM (SELECT pg_catalog.to_regclass($1)::oid AS oid) root
JOIN LATERAL (SELECT p.relid FROM pg_catalog.pg_partition_tree(root.oid) p UNION SELECT root.oid) AS holder (oid) ON true
