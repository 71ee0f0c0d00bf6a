SELECT k.oid
     , k.conname AS constraint
     , k.contype::pg_catalog.text AS type
     , n.nspname AS schema
     , c.relname AS name
     , c.oid AS table_oid
     , coalesce(fn.nspname, '') AS referenced_schema
     , coalesce(fc.relname, '') AS referenced_name
     , coalesce(fc.oid, 0) AS referenced_oid
     , ARRAY (SELECT a.attname::pg_catalog.text
                FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS x(attnum, position)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.attnum
               ORDER BY x.position) AS columns
     , pg_catalog.pg_get_constraintdef(k.oid) AS definition
     , k.condeferrable AS deferrable
     , k.condeferred AS deferred
     , k.convalidated AS validated
       -- The column exists since 18.
     , coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::pg_catalog.bool, true) AS enforced
     , k.conparentid <> 0 AS inherited
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
 WHERE (k.conrelid = ANY ($1::pg_catalog.oid[]) OR $3::pg_catalog.bool AND k.confrelid = ANY ($1::pg_catalog.oid[]))
   AND k.contype = ANY ($2::pg_catalog.text[]::pg_catalog."char"[])
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", k.conname COLLATE "C"
