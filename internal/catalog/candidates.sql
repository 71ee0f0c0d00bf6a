-- Relations that hold a user's rows, with what a filter needs to know of them.
-- $1 to $3: the patterns as parallel arrays of database, schema and name.
SELECT c.oid
     , n.nspname AS schema
     , c.relname AS name
     , c.relkind::pg_catalog.text AS kind
     , c.relpersistence::pg_catalog.text AS persistence
     , coalesce(e.extname, '') AS extension
     , e.oid IS NOT NULL AND c.oid = ANY (e.extconfig) AS config
     , coalesce(e.extcondition[pg_catalog.array_position(e.extconfig, c.oid)], '') AS condition
     , coalesce(h.inhparent, 0) AS parent
     , ARRAY (SELECT p.number::pg_catalog.int4
                FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]),
                                pg_catalog.unnest($2::pg_catalog.text[]),
                                pg_catalog.unnest($3::pg_catalog.text[]))
                     WITH ORDINALITY AS p(database, schema, name, number)
               WHERE (p.database = '' OR p.database = pg_catalog.current_database())
                 AND (p.schema = '' OR n.nspname OPERATOR(pg_catalog.~) p.schema COLLATE pg_catalog."default")
                 AND (p.name = '' OR c.relname OPERATOR(pg_catalog.~) p.name COLLATE pg_catalog."default")
             ) AS patterns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_inherits h ON c.relispartition AND h.inhrelid = c.oid
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
 WHERE c.relkind IN ('r', 'p', 'f', 'm')
   AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%'
   AND n.nspname NOT IN ('information_schema', 'walferry')
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
