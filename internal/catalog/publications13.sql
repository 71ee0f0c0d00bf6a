-- What publications publish: 13 and 14 know neither row filters nor column lists.
SELECT t.pubname AS publication
     , t.schemaname AS schema
     , t.tablename AS name
     , c.oid
     , '' AS row_filter
     , ARRAY (SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
               ORDER BY a.attnum) AS columns
     , false AS column_list
  FROM pg_catalog.pg_publication_tables t
  JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
 WHERE t.pubname = ANY ($1::pg_catalog.text[])
 ORDER BY t.pubname, t.schemaname COLLATE "C", t.tablename COLLATE "C"
