-- What publications publish. A partition that is published as itself has the
-- column list of no ancestor.
SELECT t.pubname AS publication
     , t.schemaname AS schema
     , t.tablename AS name
     , c.oid
     , coalesce(t.rowfilter, '') AS row_filter
     , t.attnames::pg_catalog.text[] AS columns
     , coalesce(r.prattrs IS NOT NULL, false) AS column_list
  FROM pg_catalog.pg_publication_tables t
  JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname
  JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
  LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
 WHERE t.pubname = ANY ($1::pg_catalog.text[])
 ORDER BY t.pubname, t.schemaname COLLATE "C", t.tablename COLLATE "C"
