-- The sessions of this database that an application may write with. Some columns are
-- NULL where this role may not see them. $1: only those that began before then.
SELECT a.pid,
       pg_catalog.format('session %s of %s (%s from %s)', a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'no application_name'),
                         coalesce(a.client_addr::text, 'a local socket')) AS text,
       coalesce(r.rolsuper AND NOT me.rolsuper
           OR NOT (me.rolsuper OR pg_catalog.pg_has_role(a.usesysid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')), true) AS untouchable,
       a.backend_start IS NULL AS unseen
FROM pg_catalog.pg_stat_activity a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
CROSS JOIN (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) me
WHERE a.datname = pg_catalog.current_database() AND a.usename IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND a.pid NOT IN (SELECT s.pid FROM pg_catalog.pg_stat_replication s)
  AND a.application_name <> 'walferry' AND a.application_name NOT LIKE 'walferry/%'
  AND (a.backend_start IS NULL OR a.backend_start <= $1)
ORDER BY a.pid
