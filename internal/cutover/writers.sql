-- Who may still commit something in this database: sessions that have written in a
-- transaction that is open, and prepared transactions.
SELECT pg_catalog.format('session %s of %s (%s), in a transaction that has written since %s', a.pid,
           coalesce(a.usename, 'a background process'), coalesce(nullif(a.application_name, ''), a.backend_type, 'no application_name'),
           coalesce(a.xact_start::text, 'an unknown time')) AS writer
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
  AND coalesce(a.backend_type, '') <> 'autovacuum worker'
  AND coalesce(a.application_name, '') <> 'walferry' AND coalesce(a.application_name, '') NOT LIKE 'walferry/%'
UNION ALL
SELECT pg_catalog.format('prepared transaction %L of %s since %s', gid, owner, prepared)
FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()
