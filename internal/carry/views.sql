-- Materialized views by their place in the order of dependency: a view that reads from
-- another one, directly or through views, comes after it.
WITH RECURSIVE depends AS (
    SELECT DISTINCT r.ev_class AS view, d.refobjid AS on_view
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')
    WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND r.ev_class <> d.refobjid
), levels AS (
    SELECT oid, 0 AS level FROM pg_catalog.pg_class WHERE relkind IN ('v', 'm')
  UNION
    SELECT depends.view, levels.level + 1 FROM levels JOIN depends ON depends.on_view = levels.oid
)
SELECT n.nspname AS schema, c.relname AS name, c.relispopulated AS populated
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN levels ON levels.oid = c.oid
WHERE c.relkind = 'm' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'walferry')
GROUP BY n.nspname, c.relname, c.relispopulated
ORDER BY max(levels.level), n.nspname COLLATE "C", c.relname COLLATE "C"
