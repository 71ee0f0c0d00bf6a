-- Tables by name ($1 schemas, $2 names), in that order: their columns, and the columns of the
-- key that names a row best; oid 0 when there is no such table.
SELECT t.number::pg_catalog.int4 AS number
     , coalesce(c.oid, 0) AS oid
     , coalesce(c.relkind = 'p', false) AS partitioned
     , ARRAY (SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               ORDER BY a.attnum) AS columns
     , ARRAY (SELECT pg_catalog.format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               ORDER BY a.attnum) AS types
     , coalesce((
         SELECT ARRAY (SELECT a.attname::pg_catalog.text
                         FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS x(attnum, position)
                         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.attnum
                        WHERE x.position <= i.indnkeyatts
                        ORDER BY x.position)
           FROM pg_catalog.pg_index i
          WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
            AND NOT EXISTS (
                SELECT FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS x(attnum, position)
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.attnum
                 WHERE x.position <= i.indnkeyatts AND NOT a.attnotnull)
          ORDER BY i.indisprimary DESC, i.indisreplident DESC, i.indnkeyatts, i.indexrelid
          LIMIT 1), '{}') AS key
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
       WITH ORDINALITY AS t(namespace, name, number)
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.namespace
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name AND c.relkind IN ('r', 'p')
 ORDER BY t.number
