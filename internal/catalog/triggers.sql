SELECT g.oid
     , g.tgname AS trigger
     , n.nspname AS schema
     , c.relname AS name
     , c.oid AS table_oid
     , g.tgenabled::pg_catalog.text AS enabled
     , g.tgparentid <> 0 AS inherited
     , pg_catalog.pg_get_triggerdef(g.oid) AS definition
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint
 WHERE g.tgrelid = ANY ($1::pg_catalog.oid[])
   -- Until 14, a partition's copy of its parent's trigger was marked internal.
   AND (NOT g.tgisinternal OR g.tgparentid <> 0 AND coalesce(k.contype, 't') = 't')
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", g.tgname COLLATE "C"
