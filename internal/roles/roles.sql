-- Every role but those that are built in.
SELECT r.rolname::text AS name
     , r.rolsuper AS superuser
     , r.rolinherit AS inherit
     , r.rolcreaterole AS create_role
     , r.rolcreatedb AS create_database
     , r.rolcanlogin AS login
     , r.rolreplication AS replication
     , r.rolbypassrls AS bypass_row_security
     , r.rolconnlimit AS connection_limit
     , coalesce(r.rolvaliduntil::text, '') AS valid_until
     , coalesce(pg_catalog.shobj_description(r.oid, 'pg_authid'), '') AS comment
     , coalesce((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s
                  WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}') AS settings
  FROM pg_catalog.pg_roles r
 WHERE r.rolname !~ '^pg_'
 ORDER BY r.rolname COLLATE "C"
