SELECT c.oid
     , n.nspname AS schema
     , c.relname AS name
     , c.relpersistence::pg_catalog.text AS persistence
     , pg_catalog.format_type(s.seqtypid, NULL) AS type
     , s.seqstart AS start
     , s.seqmin AS min
     , s.seqmax AS max
     , s.seqincrement AS increment
     , s.seqcycle AS cycle
     , coalesce(d.deptype = 'i', false) AS identity
     , pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
       AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') AS readable
     , coalesce(tn.nspname, '') AS table_schema
     , coalesce(tc.relname, '') AS table_name
     , coalesce(a.attname, '') AS column
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype IN ('a', 'i')
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
  LEFT JOIN pg_catalog.pg_class tc ON tc.oid = d.refobjid
  LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%'
   AND n.nspname NOT IN ('information_schema', 'walferry')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND e.objid = c.oid AND e.deptype = 'e')
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
