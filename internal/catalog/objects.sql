-- The objects of a schema as a comparison of two servers needs them: what and where, and a
-- definition. portable: the definition reads the same on all versions.
-- $1, $2: schemas and names of tables, to have only what belongs to them; NULL for everything.
WITH tables AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.relrowsecurity, c.relforcerowsecurity
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
       AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'walferry')
       AND ($1::pg_catalog.text[] IS NULL
            OR (n.nspname, c.relname) IN (SELECT * FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                          AND d.objid = c.oid AND d.deptype = 'e')
), schemas AS (
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
     WHERE $1::pg_catalog.text[] IS NULL AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'walferry')
), extension AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
)
SELECT kind, nspname AS schema, name, definition, portable FROM (
    SELECT 'COLUMN' AS kind, t.nspname, t.relname || ' ' || a.attname AS name,
           pg_catalog.format_type(a.atttypid, a.atttypmod)
               || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
               || CASE WHEN a.attgenerated <> '' THEN ' GENERATED' ELSE '' END AS definition, true AS portable
      FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
     WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
    SELECT 'IDENTITY STATE', t.nspname, t.relname || ' ' || a.attname, a.attidentity::pg_catalog.text, true
      FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
     -- Until 16, a partition has no identity of its own.
     WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> '' AND NOT t.relispartition
  UNION ALL
    SELECT 'DEFAULT', t.nspname, t.relname || ' ' || a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid), false
      FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
      JOIN pg_catalog.pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
     WHERE a.attgenerated = ''
  UNION ALL
    SELECT 'INDEX', t.nspname, i.relname, pg_catalog.pg_get_indexdef(i.oid), false
      FROM tables t JOIN pg_catalog.pg_index x ON x.indrelid = t.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
     WHERE NOT i.relispartition AND (x.indisvalid OR t.relkind = 'p')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
  UNION ALL
    SELECT CASE k.contype WHEN 'f' THEN 'FK CONSTRAINT' ELSE 'CONSTRAINT' END, t.nspname, t.relname || ' ' || k.conname,
           pg_catalog.pg_get_constraintdef(k.oid), false
      FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid
     WHERE k.contype IN ('p', 'u', 'x', 'c', 'f') AND k.conparentid = 0 AND k.conislocal
  UNION ALL
    SELECT 'TRIGGER', t.nspname, t.relname || ' ' || g.tgname, pg_catalog.pg_get_triggerdef(g.oid), false
      FROM tables t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
     WHERE NOT g.tgisinternal AND g.tgparentid = 0
  UNION ALL
    SELECT 'TRIGGER STATE', t.nspname, t.relname || ' ' || g.tgname, g.tgenabled::pg_catalog.text, true
      FROM tables t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
     WHERE NOT g.tgisinternal AND g.tgparentid = 0
  UNION ALL
    SELECT 'RULE', t.nspname, t.relname || ' ' || r.rulename, pg_catalog.pg_get_ruledef(r.oid), false
      FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
  UNION ALL
    SELECT 'RULE STATE', t.nspname, t.relname || ' ' || r.rulename, r.ev_enabled::pg_catalog.text, true
      FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
  UNION ALL
    SELECT 'POLICY', t.nspname, t.relname || ' ' || p.polname,
           p.polcmd::pg_catalog.text || coalesce(' USING ' || pg_catalog.pg_get_expr(p.polqual, t.oid), '')
               || coalesce(' CHECK ' || pg_catalog.pg_get_expr(p.polwithcheck, t.oid), ''), false
      FROM tables t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
  UNION ALL
    SELECT 'ROW SECURITY', t.nspname, t.relname, t.relrowsecurity::pg_catalog.text || t.relforcerowsecurity::pg_catalog.text, true
      FROM tables t WHERE t.relrowsecurity
  UNION ALL
    SELECT 'STATISTICS', n.nspname, s.stxname, '', true
      FROM tables t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
  UNION ALL
    SELECT 'TABLE', t.nspname, t.relname, '', true FROM tables t
  UNION ALL
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'FOREIGN TABLE' END,
           n.nspname, c.relname, '', true
      FROM schemas n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
     WHERE c.relkind IN ('v', 'm', 'S', 'f') AND c.relpersistence <> 't'
       AND NOT EXISTS (SELECT FROM extension e WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid)
  UNION ALL
    SELECT CASE y.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, n.nspname, y.typname,
           CASE y.typtype
             WHEN 'e' THEN coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
                                       FROM pg_catalog.pg_enum l WHERE l.enumtypid = y.oid), '')
             WHEN 'd' THEN pg_catalog.format_type(y.typbasetype, y.typtypmod)
             WHEN 'c' THEN (SELECT coalesce(pg_catalog.string_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum), '')
                              FROM pg_catalog.pg_attribute a WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
             ELSE '' END, true
      FROM schemas n JOIN pg_catalog.pg_type y ON y.typnamespace = n.oid LEFT JOIN pg_catalog.pg_class c ON c.oid = y.typrelid
     WHERE (y.typtype IN ('e', 'd', 'r') OR y.typtype = 'c' AND c.relkind = 'c' OR y.typtype = 'b' AND y.typcategory <> 'A')
       AND NOT EXISTS (SELECT FROM extension e WHERE e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND e.objid = y.oid)
  UNION ALL
    SELECT CASE p.prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, n.nspname,
           p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', coalesce(p.prosrc, ''), true
      FROM schemas n JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid
     WHERE NOT EXISTS (SELECT FROM extension e WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = p.oid)
       -- Constructors of ranges come with the type.
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                          AND d.objid = p.oid AND d.deptype = 'i')
  UNION ALL
    SELECT 'SCHEMA', n.nspname, '', '', true FROM schemas n
  UNION ALL
    SELECT 'EXTENSION', '', e.extname, '', true FROM pg_catalog.pg_extension e WHERE $1::pg_catalog.text[] IS NULL
) AS objects
ORDER BY kind, nspname, name
