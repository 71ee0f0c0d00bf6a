-- User schemas, with the numbers of the patterns ($1 database, $2 schema) that name them.
SELECT n.nspname AS name
     , ARRAY (SELECT p.number::pg_catalog.int4
                FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
                     WITH ORDINALITY AS p(database, schema, number)
               WHERE (p.database = '' OR p.database = pg_catalog.current_database())
                 AND n.nspname OPERATOR(pg_catalog.~) p.schema COLLATE pg_catalog."default"
             ) AS patterns
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'walferry')
 ORDER BY n.nspname COLLATE "C"
