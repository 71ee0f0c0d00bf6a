SELECT a.attrelid AS relation
     , a.attnum AS attnum
     , a.attname AS name
     , a.atttypid AS type_oid
     , pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name
     , a.atttypmod AS typmod
     , a.attnotnull AS not_null
     , a.attgenerated::pg_catalog.text AS generated
     , a.attidentity::pg_catalog.text AS identity
     , a.atthasdef AND a.attgenerated = '' AS has_default
     , CASE WHEN a.attcollation <> t.typcollation
            THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(l.collname)
            ELSE '' END AS collation
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
  LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = l.collnamespace
 WHERE a.attrelid = ANY ($1::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
