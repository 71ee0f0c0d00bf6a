-- The columns of the primary key of table c, when the rows of the table can be spread
-- over lanes by its hash: equal keys have equal texts, and no index, trigger or rule
-- makes one row depend on another.
SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.n)
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL pg_catalog.unnest((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, n)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate AND c.relkind = 'r'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_index o
                  WHERE o.indrelid = c.oid AND o.indexrelid <> i.indexrelid AND (o.indisunique OR o.indisexclusion))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled IN ('A', 'R'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid)
HAVING pg_catalog.bool_and(a.atttypid = ANY ('{int2,int4,int8,text,varchar,uuid}'::pg_catalog.regtype[]) AND coalesce(co.collisdeterministic, true))
