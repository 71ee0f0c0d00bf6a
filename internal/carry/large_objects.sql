-- Large objects by OID, of those after $1 the first $2 up to $3, with what belongs to
-- each but for its contents. Contents are readable by the rules of lo_get, which until
-- 17 no function tells.
SELECT m.oid
     , pg_catalog.pg_get_userbyid(m.lomowner)::text AS owner
     , coalesce(pg_catalog.obj_description(m.oid, 'pg_largeobject'), '') AS comment
     , coalesce((SELECT pg_catalog.array_agg(g.privilege_type || CASE WHEN g.is_grantable THEN '*' ELSE '' END || ' '
                          || CASE g.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(g.grantee)::text END)
                   FROM pg_catalog.aclexplode(m.lomacl) g WHERE g.grantee <> m.lomowner), '{}') AS grants
     , pg_catalog.current_setting('lo_compat_privileges')::boolean
       OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
       OR pg_catalog.pg_has_role(m.lomowner, 'USAGE') AND (m.lomacl IS NULL OR EXISTS (
              SELECT FROM pg_catalog.aclexplode(m.lomacl) g WHERE g.grantee = m.lomowner AND g.privilege_type = 'SELECT'))
       OR EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) g WHERE g.privilege_type = 'SELECT'
                     AND (g.grantee = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))) AS readable
  FROM pg_catalog.pg_largeobject_metadata m
 WHERE m.oid > $1 AND m.oid <= $3
 ORDER BY m.oid LIMIT $2
