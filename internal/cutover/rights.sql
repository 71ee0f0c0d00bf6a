-- Whether this role may close the database to writers.
SELECT pg_catalog.quote_ident(d.datname) AS database, me.rolsuper OR pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owner,
       pg_catalog.pg_get_userbyid(d.datdba)::text AS owned_by, me.rolsuper, me.rolcreaterole
FROM pg_catalog.pg_database d, (SELECT rolsuper, rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user) me
WHERE d.datname = pg_catalog.current_database()
