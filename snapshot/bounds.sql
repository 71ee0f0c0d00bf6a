-- The histogram of the first column of a table's primary key, as literals, where the rows lie in its
-- order: otherwise each range would read most of the table.
SELECT pg_catalog.quote_ident(a.attname) AS column,
       ARRAY (SELECT pg_catalog.quote_literal(bound) || '::' || pg_catalog.format_type(a.atttypid, NULL)
              FROM pg_catalog.unnest(s.histogram_bounds::text::text[]) WITH ORDINALITY AS b(bound, ord) ORDER BY ord) AS bounds
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
WHERE i.indrelid = $1 AND i.indisprimary AND i.indisvalid AND a.atttypid < 16384
  AND abs(s.correlation) > 0.9 AND pg_catalog.array_length(s.histogram_bounds::text::text[], 1) > 2
