SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version_num
     , pg_catalog.current_setting('wal_level') AS wal_level
     , pg_catalog.current_setting('max_replication_slots')::pg_catalog.int4 AS max_slots
     , (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots)::pg_catalog.int4 AS used_slots
     , pg_catalog.current_setting('max_wal_senders')::pg_catalog.int4 AS max_senders
     , (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_wal_senders())::pg_catalog.int4 AS used_senders
     , pg_catalog.pg_is_in_recovery() AS in_recovery
     , coalesce((SELECT setting::pg_catalog.int8 FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'), -1)
       AS max_slot_wal_keep_megabytes
     , d.datname AS database
     , pg_catalog.pg_encoding_to_char(d.encoding)::pg_catalog.text AS encoding
     , d.datcollate::pg_catalog.text AS collate
     , d.datctype::pg_catalog.text AS ctype
     , r.rolname AS role
     , r.rolsuper AS superuser
     , r.rolreplication
       -- How RDS grants replication without the attribute.
       OR EXISTS (SELECT FROM pg_catalog.pg_roles g
                   WHERE g.rolname = 'rds_replication'
                     AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS replication
     , r.rolbypassrls AS bypass_row_security
     , r.rolcreaterole AS create_role
     , r.rolcreatedb AS create_database
     , pg_catalog.has_database_privilege(r.oid, d.oid, 'CREATE') AS create_in_database
  FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
 WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user
