-- The databases of the cluster that are no templates, with their definitions. What is put
-- in are the provider and its locale and rules, which not every version has.
SELECT d.datname::text AS name
     , pg_catalog.pg_get_userbyid(d.datdba)::text AS owner
     , pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding
     , d.datcollate::text AS collate
     , d.datctype::text AS ctype
     , d.datconnlimit AS connection_limit
     , d.datallowconn AS allows_connections
     , coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), '') AS comment
     , coalesce((SELECT pg_catalog.array_agg(g.privilege_type || CASE WHEN g.is_grantable THEN '*' ELSE '' END || ' '
                          || CASE g.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(g.grantee)::text END)
                   FROM pg_catalog.aclexplode(d.datacl) g WHERE g.grantee <> d.datdba), '{}') AS grants
     , d.datacl IS NOT NULL AS granted
     , coalesce((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = 0 AND s.setdatabase = d.oid), '{}') AS settings
     , %s
  FROM pg_catalog.pg_database d
 WHERE NOT d.datistemplate
 ORDER BY d.datname COLLATE "C"
