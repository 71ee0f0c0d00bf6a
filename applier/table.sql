-- A target table, and what makes statements do more than they say.
SELECT c.oid,
       c.relkind = 'p' AS partitioned,
       c.relkind IN ('r', 'p') AS writable,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t
               WHERE t.tgfoid <> 'pg_catalog.unique_key_recheck'::pg_catalog.regproc
                 AND t.tgrelid IN (SELECT c.oid UNION ALL SELECT relid FROM pg_catalog.pg_partition_tree(c.oid))
                 AND t.tgenabled IN ('A', CASE pg_catalog.current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END))
           AS triggers,
       EXISTS (SELECT FROM pg_catalog.pg_rewrite r
               WHERE r.ev_class = c.oid
                 AND r.ev_enabled IN ('A', CASE pg_catalog.current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END))
           AS rules,
       pg_catalog.row_security_active(c.oid) AS policies
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
