SELECT r.oid
     , r.rulename AS rule
     , n.nspname AS schema
     , c.relname AS name
     , c.oid AS table_oid
     , r.ev_enabled::pg_catalog.text AS enabled
     , pg_catalog.pg_get_ruledef(r.oid) AS definition
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE r.ev_class = ANY ($1::pg_catalog.oid[]) AND r.rulename <> '_RETURN'
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", r.rulename COLLATE "C"
