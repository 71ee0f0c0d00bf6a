-- The columns of the tables with schemas $1 and names $2, with whether their type's send format means
-- the same on another server. Safe are built-in types, enums (labels travel), and domains, arrays,
-- ranges and multiranges of safe types. Not safe: what holds an OID of another catalog (reg*), what
-- depends on a setting (money), composite types, whose fields would have to be compared one by one, and
-- types of extensions. A type without send function travels as text by itself, unless it is nested.
WITH RECURSIVE columns AS (
    SELECT n.nspname, c.relname, a.attname, a.atttypid, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS wanted(nsp, rel)
    JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.nsp
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.rel
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
), used(root, typ, nested) AS (
    SELECT DISTINCT atttypid, atttypid, false FROM columns
  UNION
    SELECT u.root, part.typ, true
    FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.typ
    LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
    LEFT JOIN pg_catalog.pg_range m ON (pg_catalog.to_jsonb(m) ->> 'rngmultitypid')::oid = t.oid AND t.typtype = 'm'
    CROSS JOIN LATERAL (VALUES
        (CASE WHEN t.typcategory = 'A' THEN t.typelem END),
        (CASE WHEN t.typtype = 'd' THEN t.typbasetype END),
        (r.rngsubtype), (m.rngsubtype)) AS part(typ)
    WHERE part.typ <> 0
), unsafe AS (
    SELECT DISTINCT u.root FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.typ
    WHERE CASE t.typtype
            WHEN 'b' THEN t.oid >= 16384 AND t.typcategory <> 'A' OR t.oid < 16384 AND (t.typname LIKE 'reg%' OR t.typname = 'money')
            WHEN 'e' THEN false WHEN 'd' THEN false WHEN 'r' THEN false WHEN 'm' THEN false
            ELSE true
          END
       OR u.nested AND t.typsend = 0
)
SELECT c.nspname AS schema, c.relname AS name, c.attname AS column, c.type,
       NOT EXISTS (SELECT FROM unsafe u WHERE u.root = c.atttypid) AS safe,
       EXISTS (SELECT FROM used u WHERE u.root = c.atttypid AND u.typ >= 10000) AS user_type,
       EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = c.atttypid AND t.typsend <> 0 AND t.typreceive <> 0) AS sendable
FROM columns c
