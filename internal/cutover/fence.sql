-- What closes a database to writers, and what opens it again: its default, and the
-- roles whose own setting would override that default.
WITH setting AS (
    SELECT s.setrole, s.setdatabase, pg_catalog.split_part(c, '=', 2) AS value
    FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c
    WHERE pg_catalog.split_part(c, '=', 1) = 'default_transaction_read_only'
), here AS (
    SELECT oid, pg_catalog.quote_ident(datname) AS name FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
)
SELECT 0 AS ord, '' AS role,
       'ALTER DATABASE ' || name || ' SET default_transaction_read_only = on' AS close,
       'ALTER DATABASE ' || name || coalesce(' SET default_transaction_read_only = ' || pg_catalog.quote_literal(s.value), ' RESET default_transaction_read_only') AS open
FROM here LEFT JOIN setting s ON s.setrole = 0 AND s.setdatabase = here.oid
UNION ALL
SELECT 1, r.rolname,
       'ALTER ROLE ' || pg_catalog.quote_ident(r.rolname) || ' IN DATABASE ' || here.name || ' SET default_transaction_read_only = on',
       'ALTER ROLE ' || pg_catalog.quote_ident(r.rolname) || ' IN DATABASE ' || here.name
           || coalesce(' SET default_transaction_read_only = ' || pg_catalog.quote_literal(own.value), ' RESET default_transaction_read_only')
FROM here
JOIN pg_catalog.pg_roles r ON EXISTS (
    SELECT FROM setting s WHERE s.setrole = r.oid AND s.setdatabase IN (0, here.oid) AND s.value::boolean IS NOT TRUE)
LEFT JOIN setting own ON own.setrole = r.oid AND own.setdatabase = here.oid
ORDER BY 1, 2
